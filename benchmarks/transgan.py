"""A trained TransGAN beside the convolutional generator that ships: samples, and inversion of images at equal bytes.

    python benchmarks/transgan.py WEIGHTS RUN FOLDER [--images 3] [--side 256] [--iterations 150] [--weights VIT]
        [--count 256] [--samples samples.png]

WEIGHTS is a file of `vitiq train transgan`, RUN its run folder, whose first held-out images are the reference. FID and
KID are those of the embedded ViT's features of as many samples as there are of these, all at the TransGAN's side;
the convolutional generator is sampled from its own prior, symbol by symbol, at 256×256. Training images against
held-out ones show what is reached at best. Then the middle of the first images of FOLDER is coded by `inversion-vector`
through both generators, and by `inversion` and WebP of a downscaled image, in about as many bytes as the TransGAN's
file has. Prints Markdown; `--samples` writes a sheet: images, TransGAN's samples, the other generator's, in rows.
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
from vitiq.types import Bytes, ImageU8, Quality

SEED = 2026
SHOWN = 10
DRAWN_SIDE = 256
HELD_OUT = TransGanConfig.load().held_out
PUBLISHED_BITS = 8


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


def features(images: Sequence[ImageU8]) -> np.ndarray:
    """The embedded ViT's."""
    backbone = load_backbone()
    return np.concatenate([backbone.features(images[i : i + 32]) for i in range(0, len(images), 32)]).astype(np.float64)


def sets(weights: Path, run: Path, count: int, sheet: Path | None) -> None:
    """Print FID and KID of samples."""
    generator = TransGanGenerator(weights)
    side = generator.resolution
    images = ImageSet(run / "images")
    training, held_out = images.split(HELD_OUT)
    held_out = held_out[:count]
    wanted, others = (
        [zoomed_crop(np.random.default_rng([SEED, i]), images[i], side) for i in own]
        for own in (held_out, training[: len(held_out)])
    )
    rows = {
        "TransGAN": transgan_samples(generator, len(held_out)),
        "convolutional generator": embedded_samples(len(held_out), side),
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
        made = [rows[name][i * SHOWN : (i + 1) * SHOWN] for name in list(rows)[:2] for i in (0, 1)]
        Image.fromarray(np.concatenate([np.concatenate(row, axis=1) for row in (wanted[:SHOWN], *made)])).save(sheet)


def middle(image: ImageU8, side: int) -> ImageU8:
    """The middle `side`×`side` pixels."""
    top, left = (image.shape[0] - side) // 2, (image.shape[1] - side) // 2
    return np.ascontiguousarray(image[top : top + side, left : left + side])


def within(codec: InversionVector, image: ImageU8, budget: int) -> bytes:
    """The file of the highest published quality within a budget, of one search; the smallest file where none is."""
    generator, (height, width, _) = load_generator(), image.shape
    vector = codec.invert(image, generator)
    files = [codec.file(vector, bits, generator, width, height) for bits in (1, 2, 4, 6, 8)]
    return max((file for file in files if len(file) <= budget), key=len, default=min(files, key=len))


def inversions(weights: Path, pieces: Sequence[ImageU8], iterations: int, scoring: Path | None) -> None:
    """Print what images are worth in the bytes of the TransGAN's file."""
    metrics = resolve_metrics("psnr-rgb,ssim,vit-topk")
    other = resolve_metrics("vit-topk", load_backbone(weights=scoring)) if scoring else []
    transgan = make_codec("inversion-vector", {"generator": f"transgan:{weights}", "iterations": iterations})
    files = [transgan.encode(piece, Quality(PUBLISHED_BITS)) for piece in pieces]
    coded: dict[str, tuple[Codec, list[bytes]]] = {"inversion-vector, TransGAN": (transgan, files)}
    vector = InversionVector(iterations=iterations)
    small = [within(vector, piece, len(file)) for piece, file in zip(pieces, files, strict=True)]
    coded["inversion-vector, convolutional generator"] = vector, small
    for name, given in (("inversion", {"iterations": iterations}), ("webp-downscaled", {})):
        codec = make_codec(name, given)
        try:
            coded[name] = codec, [codec.encode(p, Bytes(len(f))) for p, f in zip(pieces, files, strict=True)]
        except InputError as error:
            print(f"{name}: {error}")
    print("| codec | bytes | PSNR, dB | SSIM | ViT-Score | of another ViT |\n|---|---:|---:|---:|---:|---:|")
    for name, (codec, own) in coded.items():
        rebuilt = [codec.decode(file) for file in own]
        scores = score_pairs(pieces, rebuilt, metrics)
        psnr, ssim, vit = (np.mean([row[key].value for row in scores]) for key in ("psnr-rgb", "ssim", "vit-topk"))
        seen = np.mean([row["vit-topk"].value for row in score_pairs(pieces, rebuilt, other)]) if other else np.nan
        size = np.mean([len(file) for file in own])
        print(f"| {name} | {size:.0f} | {psnr:.2f} | {ssim:.3f} | {vit:.3f} | {seen:.3f} |", flush=True)


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("transgan", type=Path)
    parser.add_argument("run", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--images", type=int, default=3)
    parser.add_argument("--side", type=int, default=256)
    parser.add_argument("--iterations", type=int, default=150)
    parser.add_argument("--weights", type=Path)
    parser.add_argument("--count", type=int, default=256)
    parser.add_argument("--samples", type=Path)
    options = parser.parse_args()
    sets(options.transgan, options.run, options.count, options.samples)
    print()
    paths = sorted(options.folder.glob("*.png"))[: options.images]
    pieces = [middle(read_image(path), options.side) for path in paths]
    inversions(options.transgan, pieces, options.iterations, options.weights)


if __name__ == "__main__":
    main()
