"""TransGAN beside the convolutional generator that ships: samples, and inversion of images at equal bytes.

    python benchmarks/transgan.py [--transgan WEIGHTS] [--run RUN [--count 256] [--samples samples.png]]
        [--folder FOLDER [--images 3] [--side 256] [--bytes 170] [--iterations 150] [--start encoder]
        [--codecs transgan,vector,…] [--weights VIT] [--side-by-side images.png]]

WEIGHTS is a file of `vitiq train transgan`, without it the one that ships. RUN is a run folder of that command, whose
first held-out images are the reference. FID and KID are those of the embedded ViT's features of as many samples as
there are of these, all at the TransGAN's side; the convolutional generator is sampled from its own prior, symbol by
symbol, at 256×256. Training images against held-out ones show what is reached at best, their mean colours what is
reached without any content. Then the middle of the first images of FOLDER is coded in BYTES bytes at most by
`inversion-vector` through both generators, and by `inversion` and WebP of a downscaled image. Prints Markdown;
`--samples` writes a sheet of images, TransGAN's samples and the other generator's, in rows; `--side-by-side` one with a
row an image, and what each codec makes of it.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from vitiq.codecs.base import Codec
from vitiq.codecs.inversion.generators import load_generator
from vitiq.codecs.inversion.generators.embedded import EmbeddedGenerator
from vitiq.codecs.inversion.generators.transgan import TransGanGenerator
from vitiq.codecs.inversion.vector import InversionVector
from vitiq.codecs.spec import make_codec
from vitiq.errors import InputError
from vitiq.image.geometry import resize
from vitiq.image.io import read_image
from vitiq.metrics.scoring import resolve_metrics, score_pairs
from vitiq.metrics.sets.frechet import frechet_distance
from vitiq.metrics.sets.kernel_distance import kernel_distance
from vitiq.models.backbones import load_backbone
from vitiq.models.tensors import to_image, to_unit_range
from vitiq.training.crops import zoomed_crop
from vitiq.training.data import ImageSet
from vitiq.training.recipes.transgan import TransGanConfig
from vitiq.types import Bytes, ImageU8

SEED = 2026
SHOWN = 10
DRAWN_SIDE, SMALL = 256, 160
HELD_OUT = TransGanConfig.load().held_out
CODECS = {
    "transgan": "inversion-vector, TransGAN",
    "vector": "inversion-vector, convolutional generator",
    "inversion": "inversion",
    "webp": "webp-downscaled",
}
"""Rows of the second table, by the names that --codecs takes."""


def as_images(batch: Tensor, output_range: tuple[float, float]) -> list[ImageU8]:
    """Images of a generator whose output has a range."""
    return [to_image(image) for image in torch.split(to_unit_range(batch, output_range), 1)]


@torch.no_grad()
def transgan_samples(generator: TransGanGenerator, count: int) -> list[ImageU8]:
    """Images of random latents."""
    drawn = torch.Generator().manual_seed(SEED)
    z = torch.randn(count, generator.layers[0].channels, 1, 1, generator=drawn)
    parts = [as_images(generator.generate([part]), generator.output_range) for part in torch.split(z, 32)]
    return [image for part in parts for image in part]


@torch.no_grad()
def embedded_samples(count: int, side: int) -> list[ImageU8]:
    """Images of latents drawn from the convolutional generator's prior, downscaled to `side`."""
    generator = EmbeddedGenerator().at(DRAWN_SIDE, DRAWN_SIDE)
    drawn = torch.Generator().manual_seed(SEED)
    made: list[ImageU8] = []
    for start in range(0, count, 32):
        n = min(32, count - start)
        latents: list[Tensor] = []
        for prior, layer in zip(generator.prior.layers, generator.layers, strict=True):
            symbols = torch.zeros(n, layer.channels, layer.height, layer.width)
            for row in range(layer.height):
                for column in range(layer.width):
                    mean, log_scale = prior(symbols, latents[-1] if latents else None, torch.zeros(n, 1, 1, 1))
                    u = torch.rand(n, layer.channels, generator=drawn).clamp(1e-6, 1 - 1e-6)
                    value = mean[:, :, row, column] + torch.exp(log_scale[:, :, row, column]) * torch.logit(u)
                    symbols[:, :, row, column] = torch.round(value)
            latents.append(symbols)
        made += [resize(image, side, side) for image in as_images(generator.generate(latents), generator.output_range)]
    return made


def flat(image: ImageU8) -> ImageU8:
    """An image of the mean colour of another."""
    mean: ImageU8 = np.broadcast_to(image.mean(axis=(0, 1)).round().astype(np.uint8), image.shape)
    return np.ascontiguousarray(mean)


def features(images: Sequence[ImageU8]) -> np.ndarray:
    """The embedded ViT's."""
    backbone = load_backbone()
    return np.concatenate([backbone.features(images[i : i + 32]) for i in range(0, len(images), 32)]).astype(np.float64)


def sets(generator: TransGanGenerator, run: Path, count: int, sheet: Path | None) -> None:
    """Print FID and KID of samples."""
    side = generator.resolution
    images = ImageSet(run / "images")
    training, held_out = images.split(HELD_OUT)
    held_out = held_out[:count]
    wanted, others = (
        [zoomed_crop(np.random.default_rng([SEED, i]), images[i], side) for i in own]
        for own in (held_out, training[: len(held_out)])
    )
    rows: dict[str, list[ImageU8]] = {
        "TransGAN": transgan_samples(generator, len(held_out)),
        "convolutional generator": embedded_samples(len(held_out), side),
        "mean colours of training images": [flat(image) for image in others],
        "training images": others,
    }
    reference = features(wanted)
    print(f"| {len(held_out)} samples of {side}×{side} | FID, embedded ViT | KID, embedded ViT |\n|---|---:|---:|")
    for name, made in rows.items():
        found = features(made)
        print(
            f"| {name} | {frechet_distance(found, reference):.1f} | {kernel_distance(found, reference):.4f} |",
            flush=True,
        )
    if sheet is not None:
        drawn = [rows[name][i * SHOWN : (i + 1) * SHOWN] for name in list(rows)[:2] for i in (0, 1)]
        Image.fromarray(np.concatenate([np.concatenate(row, axis=1) for row in (wanted[:SHOWN], *drawn)])).save(sheet)


def middle(image: ImageU8, side: int) -> ImageU8:
    """The middle `side`×`side` pixels."""
    top, left = (image.shape[0] - side) // 2, (image.shape[1] - side) // 2
    return np.ascontiguousarray(image[top : top + side, left : left + side])


def within(codec: InversionVector, image: ImageU8, budget: int) -> bytes:
    """The file of the highest published quality within a budget, of one search; the smallest file where none is."""
    generator, (height, width, _) = load_generator(codec.options.generator), image.shape
    vector = codec.invert(image, generator)
    files = [codec.file(vector, bits, generator, width, height) for bits in (1, 2, 4, 6, 8)]
    return max((file for file in files if len(file) <= budget), key=len, default=min(files, key=len))


def files_of(name: str, given: argparse.Namespace, pieces: Sequence[ImageU8]) -> tuple[Codec, list[bytes]]:
    """A codec of `CODECS` and its files of images."""
    if name in {"transgan", "vector"}:
        path = f"transgan:{given.transgan}" if given.transgan else "transgan"
        generator = path if name == "transgan" else "embedded"
        vector = InversionVector(iterations=given.iterations, start=given.start, generator=generator)
        return vector, [within(vector, piece, given.bytes) for piece in pieces]
    codec = make_codec(CODECS[name], {"iterations": given.iterations} if name == "inversion" else {})
    return codec, [codec.encode(piece, Bytes(given.bytes)) for piece in pieces]


def inversions(given: argparse.Namespace, pieces: Sequence[ImageU8]) -> None:
    """Print what images are worth in so many bytes."""
    metrics = resolve_metrics("psnr-rgb,ssim,vit-topk")
    other = resolve_metrics("vit-topk", load_backbone(weights=given.weights)) if given.weights else []
    print("| codec | bytes | PSNR, dB | SSIM | ViT-Score | of another ViT |\n|---|---:|---:|---:|---:|---:|")
    shown = [list(pieces)]
    for name in given.codecs.split(","):
        try:
            codec, own = files_of(name, given, pieces)
        except InputError as error:
            print(f"{CODECS[name]}: {error}", flush=True)
            continue
        rebuilt = [codec.decode(file) for file in own]
        shown.append(rebuilt)
        scores = score_pairs(pieces, rebuilt, metrics)
        psnr, ssim, vit = (np.mean([row[key].value for row in scores]) for key in ("psnr-rgb", "ssim", "vit-topk"))
        seen = np.mean([row["vit-topk"].value for row in score_pairs(pieces, rebuilt, other)]) if other else np.nan
        size = np.mean([len(file) for file in own])
        print(f"| {CODECS[name]} | {size:.0f} | {psnr:.2f} | {ssim:.3f} | {vit:.3f} | {seen:.3f} |", flush=True)
    if given.side_by_side:
        small = [[resize(image, SMALL, SMALL) for image in row] for row in zip(*shown, strict=True)]
        Image.fromarray(np.concatenate([np.concatenate(row, axis=1) for row in small])).save(given.side_by_side)


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--transgan", type=Path)
    parser.add_argument("--run", type=Path)
    parser.add_argument("--count", type=int, default=256)
    parser.add_argument("--samples", type=Path)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--images", type=int, default=3)
    parser.add_argument("--side", type=int, default=256)
    parser.add_argument("--bytes", type=int, default=170)
    parser.add_argument("--iterations", type=int, default=150)
    parser.add_argument("--start", choices=("random", "encoder"), default="random")
    parser.add_argument("--codecs", default=",".join(CODECS))
    parser.add_argument("--weights", type=Path)
    parser.add_argument("--side-by-side", type=Path)
    given = parser.parse_args()
    if given.run:
        sets(TransGanGenerator(given.transgan), given.run, given.count, given.samples)
    if given.folder:
        paths = sorted(given.folder.glob("*.png"))[: given.images]
        inversions(given, [middle(read_image(path), given.side) for path in paths])


if __name__ == "__main__":
    main()
