"""How faithfully a distilled ViT reads images, beside the real ViTs: the figures of its model card.

    python benchmarks/vit_fidelity.py WEIGHTS --reference vit_tiny.safetensors --reference deit_tiny.safetensors \
        --training-data TRAIN --images FOLDER

Three tables, as Markdown:
1. Held-out training images, clean and degraded views: top-1 agreement and mean top-100 overlap with each reference.
2. ViT-Scores (K = 100) of the images in FOLDER against their JPEG files at qualities 1 … 80: correlation and mean
   difference between the scores of the distilled ViT and of each reference, and between the references.
3. Images a second on one thread.
"""

from __future__ import annotations

import argparse
import io
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Int
from PIL import Image
from safetensors import safe_open
from safetensors.torch import load_file
from scipy.stats import pearsonr, spearmanr

from vitiq.models.vit import VisionTransformer, ViTConfig
from vitiq.training.data import ImageSet
from vitiq.training.recipes.vit import VitTrainingConfig
from vitiq.training.teachers import load_teacher
from vitiq.training.vit_views import view
from vitiq.types import ImageU8

K = 100
QUALITIES = (1, 5, 10, 20, 40, 60, 80)


@dataclass(frozen=True)
class Reader:
    """A ViT with the normalisation it was trained with."""

    name: str
    model: VisionTransformer
    mean: Sequence[float]
    deviation: Sequence[float]

    @torch.no_grad()
    def logits(self, images: Sequence[ImageU8]) -> Float[np.ndarray, "n labels"]:
        """Logits of images of 224×224."""
        results = []
        for start in range(0, len(images), 16):
            x = torch.from_numpy(np.stack(images[start : start + 16])).permute(0, 3, 1, 2).float() / 255
            mean, deviation = (torch.tensor(v)[:, None, None] for v in (self.mean, self.deviation))
            results.append(self.model((x - mean) / deviation).numpy())
        return np.concatenate(results)


def distilled(path: Path) -> Reader:
    """The distilled ViT, from the stated in its own file."""
    with safe_open(path, "pt") as file:
        stated = json.loads(file.metadata()["vitiq_config"])
    model = VisionTransformer(ViTConfig(**stated["config"])).eval()
    model.load_state_dict({name: value.float() for name, value in load_file(path).items()})
    return Reader(path.stem, model, stated["mean"], stated["std"])


def reference(path: Path) -> Reader:
    """A timm checkpoint."""
    teacher = load_teacher(path)
    return Reader(path.name.split(".")[0], teacher.model, teacher.preprocessing.mean, teacher.preprocessing.std)


def top(logits: Float[np.ndarray, "n labels"]) -> Int[np.ndarray, "n k"]:
    """The K first labels of each image."""
    return np.argsort(-logits, axis=1, kind="stable")[:, :K]


def overlap(a: Int[np.ndarray, "n k"], b: Int[np.ndarray, "n k"]) -> Float[np.ndarray, " n"]:
    """Share of labels in both lists, an image at a time."""
    return np.array([len(np.intersect1d(x, y)) / K for x, y in zip(a, b, strict=True)])


def agreement_table(student: Reader, references: Sequence[Reader], data: Sequence[Path], cache: Path) -> str:
    """Top-1 agreement and top-100 overlap on the held-out images of the training data."""
    config = VitTrainingConfig.load()
    images = ImageSet.open(data, cache, short_side=256)
    _, held_out = images.split(config.held_out)
    lines = ["| views of held-out images | against | top-1 agreement | top-100 overlap |", "|---|---|---|---|"]
    for kind, share in (("clean", 0.0), ("degraded", 1.0)):
        views = [view(np.random.default_rng([config.seed, i]), images[i], 224, share) for i in held_out]
        lists = {reader.name: top(reader.logits(views)) for reader in (student, *references)}
        for a, b in pairs([student, *references]):
            x, y = lists[a], lists[b]
            same = float((x[:, 0] == y[:, 0]).mean())
            lines.append(f"| {kind} ({len(views)}) | {a} – {b} | {same:.3f} | {overlap(x, y).mean():.3f} |")
    return "\n".join(lines)


def score_table(readers: Sequence[Reader], images: Sequence[Path]) -> str:
    """How ViT-Scores of JPEG files agree between readers."""
    originals = [Image.open(path).convert("RGB") for path in images]
    scores = {}
    for reader in readers:
        before = top(reader.logits([resized(image) for image in originals]))
        rows = [overlap(before, top(reader.logits([resized(jpeg(i, q)) for i in originals]))) for q in QUALITIES]
        scores[reader.name] = np.concatenate(rows)
    lines = ["| ViT-Scores of | pairs | Pearson | Spearman | mean absolute difference |", "|---|---|---|---|---|"]
    for a, b in pairs(readers):
        x, y = scores[a], scores[b]
        lines.append(
            f"| {a} – {b} | {len(x)} | {pearsonr(x, y).statistic:.3f} | {spearmanr(x, y).statistic:.3f} "
            f"| {np.abs(x - y).mean():.3f} |"
        )
    return "\n".join(lines)


def pairs(readers: Sequence[Reader]) -> list[tuple[str, str]]:
    """All pairs of names, in order."""
    names = [reader.name for reader in readers]
    return [(a, b) for i, a in enumerate(names) for b in names[i + 1 :]]


def jpeg(image: Image.Image, quality: int) -> Image.Image:
    """The image as its JPEG file shows it."""
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=quality)
    return Image.open(buffer).convert("RGB")


def resized(image: Image.Image) -> ImageU8:
    """The whole image at 224×224."""
    return np.asarray(image.resize((224, 224), Image.Resampling.BICUBIC))


def images_a_second(reader: Reader) -> float:
    """Speed of batches of 16, the best of three."""
    batch = [np.zeros((224, 224, 3), np.uint8)] * 16
    return 16 / min(timed(lambda: reader.logits(batch)) for _ in range(3))


def timed(work: Callable[[], object]) -> float:
    """Seconds that `work` takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("weights", type=Path)
    parser.add_argument("--reference", type=Path, action="append", required=True)
    parser.add_argument("--training-data", type=Path, action="append", required=True)
    parser.add_argument("--cache", type=Path, default=Path("build/images"))
    parser.add_argument("--images", type=Path, required=True)
    options = parser.parse_args()
    torch.set_num_threads(1)
    student, references = distilled(options.weights), [reference(path) for path in options.reference]
    print(agreement_table(student, references, options.training_data, options.cache), end="\n\n")
    files = sorted(path for path in options.images.iterdir() if path.suffix == ".png")
    print(score_table([student, *references], files), end="\n\n")
    for reader in (student, *references):
        print(f"{reader.name}: {images_a_second(reader):.1f} images/s on one thread")


if __name__ == "__main__":
    main()
