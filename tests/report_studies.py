"""Small studies for tests of the report: real images, files of Pillow, scores by our metrics.

Where a network would be needed for a score, it is made up here.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image

from vitiq.analysis.points import RdPoint
from vitiq.evaluation.record import Record
from vitiq.image.io import read_image, write_png
from vitiq.metrics.fidelity.pixel import Mse, PsnrRgb
from vitiq.metrics.fidelity.ssim import Ssim
from vitiq.report.source import Files, Study
from vitiq.types import ImageU8, Score

IMAGES = Path(__file__).parents[1] / "examples" / "images"
SIGNATURE = "vit-topk|k:100|weights:abcdefabcdef|v1"
METRICS = (PsnrRgb(), Ssim(), Mse())


def pieces(count: int, width: int = 160, height: int = 120) -> dict[str, ImageU8]:
    """Pieces of the bundled images, by name."""
    sources = [read_image(path) for path in sorted(IMAGES.glob("*.png"))]
    found = {}
    for n in range(count):
        image = sources[n % len(sources)]
        top, left = 40 + 37 * (n // len(sources)), 60 + 53 * (n // len(sources))
        found[f"piece-{n:02d}.png"] = np.ascontiguousarray(image[top : top + height, left : left + width])
    return found


def coded(image: ImageU8, kind: str, quality: int) -> tuple[bytes, ImageU8]:
    """A file of Pillow's and what it decodes to."""
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, kind, quality=quality)
    return buffer.getvalue(), np.asarray(Image.open(io.BytesIO(buffer.getvalue())).convert("RGB"))


def topk(value: float, first: tuple[str, str] = ("tabby", "tabby")) -> Score:
    """A ViT-Score as the metric gives it, made up."""
    rows = [
        {"label": first[0], "original": 0.65, "reconstruction": 0.68, "difference": 0.03},
        {"label": "tiger cat", "original": 0.2, "reconstruction": 0.1, "difference": 0.1},
        *({"label": f"label {n}", "original": 1e-6, "reconstruction": 2e-6, "difference": 1e-6} for n in range(60)),
    ]
    details: dict[str, object] = {
        "k": 100,
        "labels": 1000,
        "chance": 0.1,
        "chance_deviation": 0.028,
        "adjusted": (value - 0.1) / 0.9,
        "p_value": 1e-12,
        "top1": list(first),
        "top1_same": first[0] == first[1],
        "shared_labels": rows,
    }
    return Score(value, SIGNATURE, details)


def record(
    folder: Path, name: str, image: ImageU8, rebuilt: ImageU8, size: int, **answer: object
) -> tuple[Record, Files]:
    """A record with its images on disk."""
    given: dict[str, object] = {"codec": "jpeg", "label": "JPEG", "quality": 50.0, "rate_kind": "quality", **answer}
    extra: Mapping[str, Score] = given.pop("scores", {})  # type: ignore[assignment]
    key = hashlib.sha256(f"{name}{given['label']}{given['quality']}{given.get('rate_value')}".encode()).hexdigest()
    original, target = folder / "originals" / name, folder / "reconstructions" / key[:2] / f"{key}.png"
    original.parent.mkdir(parents=True, exist_ok=True)
    if not original.exists():
        write_png(original, image)
    write_png(target, rebuilt)
    scores = {metric.name: metric(image, rebuilt) for metric in METRICS} | dict(extra)
    height, width, _ = image.shape
    details: dict[str, object] = {"title": given["label"], "original_bytes": width * height * 2, "shared_bytes": 0}
    details |= given.pop("details", {})  # type: ignore[call-overload]
    rate_value = float(given.pop("rate_value", given["quality"]))  # type: ignore[arg-type]
    made = Record(
        key=key,
        image=name,
        image_sha256=hashlib.sha256(image.tobytes()).hexdigest(),
        settings={},
        rate_value=rate_value,
        reached=bool(given.pop("reached", True)),
        width=width,
        height=height,
        bytes=size,
        bpp=size * 8 / (width * height),
        encode_seconds=float(given.pop("encode_seconds", 0.004)),  # type: ignore[arg-type]
        decode_seconds=0.002,
        scores=scores,
        notes=tuple(given.pop("notes", ())),  # type: ignore[arg-type]
        error=None,
        details=details,
        **given,  # type: ignore[arg-type]
    )
    return made, Files(original, target)


def curves(folder: Path, images: int = 6, qualities: Sequence[int] = (10, 30, 55, 80)) -> Study:
    """A study of qualities: JPEG and WebP, and AVIF under a made-up score of meaning."""
    found = []
    for n, (name, image) in enumerate(pieces(images).items()):
        for kind, codec, label in (("JPEG", "jpeg", "JPEG"), ("WEBP", "webp", "WebP"), ("AVIF", "avif", "AVIF")):
            for quality in qualities:
                data, rebuilt = coded(image, kind, quality)
                value = round(min(1.0, 0.3 + quality / 130 + 0.02 * (n % 3) + 0.05 * (codec == "avif")), 2)
                scores = {"vit-topk": topk(value)}
                found.append(
                    record(
                        folder,
                        name,
                        image,
                        rebuilt,
                        len(data),
                        codec=codec,
                        label=label,
                        quality=float(quality),
                        scores=scores,
                    )
                )
    return Study("curves", found, planned=len(found))


def published(name: str = "VTM", metric: str = "psnr-rgb") -> list[RdPoint]:
    """Points of a published mean, as a table of CompressAI gives them."""
    rows = enumerate([(0.2, 24.0), (0.5, 28.0), (1.1, 32.0), (2.3, 36.0), (4.1, 40.0)])
    return [RdPoint("kodak", name, f"point={n}", rate, {metric: value}, aggregate=True) for n, (rate, value) in rows]


def equal_bytes(folder: Path, images: int = 3, preset: str = "run") -> Study:
    """A study at equal bytes: an optimised codec that sets the size, one that reaches it, one that cannot."""
    found = []
    for n, (name, image) in enumerate(pieces(images).items()):
        data, rebuilt = coded(image, "WEBP", 20)
        size = len(data)
        base = {
            "group": "main",
            "preset": preset,
            "shared_bytes": 10_684_910,
            "sections": {"header": 28, "latents": size - 28},
        }
        base |= {"optimised_against": [{"backbone": "generator", "weights_sha256": "abcdefabcdef" + "0" * 52}]}
        natural = {"brisque": Score(30.0, "brisque|v2", {"original": 28.0, "generated": 30.0, "delta": 2.0})}
        scores = {"vit-topk": topk(0.63), **natural}
        answer: dict[str, object] = {"codec": "inversion", "label": "vitiq inversion", "quality": 1540.0}
        answer |= {"scores": scores, "details": base, "encode_seconds": 40.0}
        main, files = record(folder, name, image, rebuilt, size, **answer)
        found.append((main, replace(files, trace=_trace(folder, main, image, rebuilt), map=_map(folder, main))))
        for codec, label, reached, grown in (("avif", "AVIF", True, 0.98), ("jpeg", "JPEG", False, 2.2)):
            _, other = coded(image, "JPEG", 30 if reached else 5)
            scores = {"vit-topk": topk(0.5 if reached else 0.12, ("tabby", "tabby" if n else "teapot")), **natural}
            found.append(
                record(
                    folder,
                    name,
                    image,
                    other,
                    int(size * grown),
                    codec=codec,
                    label=label,
                    quality=9.0,
                    scores=scores,
                    rate_kind="bytes",
                    rate_value=size,
                    reached=reached,
                    details={"group": "equal-bytes", "preset": preset},
                    notes=("the image was made smaller & 100 % enlarged_again",) if reached else (),
                )
            )
    return Study("equal bytes", found, planned=len(found))


MANY = [
    "vit-topk-adj",
    "vit-topk-area",
    "vit-rbo",
    "vit-js",
    "vit-bc",
    "vit-prob",
    "vit-cls",
    "rmse",
    "mae",
    "psnr-y",
    "ssim-y",
    "ssim-skimage",
    "ms-ssim",
    "ms-ssim-y",
    "brisque",
    "lpips",
    "lpips-vgg",
    "dists",
    "wasserstein",
    "plug-in-metric",
    "vit-topk@10",
]


def with_many_metrics(study: Study, more: int = len(MANY)) -> Study:
    """The same study with further metrics, made up; one of them is installed nowhere."""
    found = []
    for n, (made, files) in enumerate(study.records):
        up = {key: Score(round(0.2 + (n * 7 + at * 3) % 11 / 14, 3), f"{key}|v1") for at, key in enumerate(MANY[:more])}
        found.append((replace(made, scores={**made.scores, **up}), files))
    return replace(study, records=found)


def with_hostile_names(study: Study) -> Study:
    """The same study, its images and codecs named as no style sheet likes it."""
    found = []
    for made, files in study.records:
        name = f"{'AVeryLongNameWithoutASpaceOrAHyphen' * 6}{made.image} <b>&\"' Ünï☃ \u202e"
        label = f"{made.label} with options speed=6, subsampling=4:4:4, tune=psnr, range=full, <script>"
        found.append((replace(made, image=name, label=label), files))
    return replace(study, records=found, problems=["x" * 300, "<img src=x>: could not be made"])


def _trace(folder: Path, main: Record, image: ImageU8, rebuilt: ImageU8) -> Path:
    previews = []
    for step, share in ((0, 0.0), (125, 0.5), (250, 1.0)):
        blend = (image * 0.0 + 128) * (1 - share) + rebuilt * share
        path = f"previews/{main.key[:2]}/{main.key}/{step:06d}.png"
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        write_png(folder / path, blend.astype(np.uint8))
        previews.append((step, path))
    target = folder / "traces" / main.key[:2] / f"{main.key}.json"
    target.parent.mkdir(parents=True, exist_ok=True)
    latents = np.random.default_rng(0).normal(size=(4, 4, 4)).round(3).tolist()
    loss = [1 / (n + 1) for n in range(250)]
    target.write_text(json.dumps({"loss": loss, "previews": previews, "latents": [latents]}))
    return target


def _map(folder: Path, main: Record) -> Path:
    target = folder / "maps" / main.key[:2] / f"{main.key}.npz"
    target.parent.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(1)
    np.savez_compressed(target, loss=rng.random((12, 16)).astype(np.float16), attention=rng.random((14, 14)))
    return target
