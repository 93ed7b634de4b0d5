"""Training of the classifier of latents (`vitiq train classifier`): a ViT distilled onto latents of coded images.

It starts as the teacher reading coefficients (`from_vit`) and learns to give, from latents at any quality, the labels
that the teacher gives the image before coding (Hinton et al. 2015, arXiv 1503.02531).

Everything random in a step comes from (seed, step), so a resumed run continues the same sequence.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from vitiq.codecs.transform.latent_classifier import (
    EmbeddedClassifier,
    LatentClassifier,
    export_weights,
    from_vit,
    latent_space,
)
from vitiq.codecs.transform.networks.embedded import TransformModel, load_model, quality_of
from vitiq.training.agreement import TOP_K
from vitiq.training.config import read_config
from vitiq.training.curves import draw_curves
from vitiq.training.data import ImageSet
from vitiq.training.hardware import Hardware, hardware
from vitiq.training.latent_views import LatentView, coded_views, dequantised, held_out_views, training_views
from vitiq.training.loop import CsvLog, Ema, Stateful, cosine, load_checkpoint, save_checkpoint
from vitiq.training.student import prune
from vitiq.training.teachers import load_teacher, soft_loss
from vitiq.training.vit import SMOKE_IMAGES
from vitiq.weights.file import steps_behind

Report = Callable[[int, int, float], None]

VALIDATED = (5, 18, 45)
"""Quality levels that held-out images are coded at."""


@dataclass(frozen=True, slots=True)
class ClassifierTrainingConfig:
    """Settings of `configs/classifier.toml`, in the same words."""

    seed: int
    kept_blocks: tuple[int, ...]
    views: int
    smallest_view: int
    largest_view: int
    steps: int
    batch: int
    learning_rate: float
    final_learning_rate: float
    linear_rate: float
    warmup_steps: int
    weight_decay: float
    gradient_clip: float
    ema: float
    temperature: float
    checkpoint_every: int
    validate_every: int
    held_out: int


def load_config(path: Path | None = None, *, smoke: bool = False) -> ClassifierTrainingConfig:
    """Read a configuration file (default: the shipped one).

    Raises:
        InputError: the file cannot be read or has unknown or missing keys.
    """

    def build(values: dict[str, Any]) -> ClassifierTrainingConfig:
        return ClassifierTrainingConfig(**{**values, "kept_blocks": tuple(values["kept_blocks"])})

    config = read_config(path, "classifier", build)
    if smoke:
        small = replace(config, views=6, smallest_view=48, largest_view=64, held_out=2, kept_blocks=(0, 11))
        return replace(small, steps=4, batch=2, warmup_steps=1, checkpoint_every=2, validate_every=4)
    return config


class Reader(nn.Module):
    """The classifier on latents of images of any size, as one module that several processes can share."""

    def __init__(self, classifier: LatentClassifier) -> None:
        super().__init__()
        self.classifier = classifier

    def forward(
        self, latents: Sequence[Float[Tensor, "c h w"]], sizes: Sequence[tuple[int, int]], quality: Float[Tensor, "n 3"]
    ) -> Float[Tensor, "n classes"]:
        """Logits of dequantised latents of images of `sizes` (height, width)."""
        patches = [self.classifier.patches(y, *size) for y, size in zip(latents, sizes, strict=True)]
        logits: Tensor = self.classifier(torch.stack(patches), quality)
        return logits


def logits_of(reader: Reader, codec: TransformModel, views: Sequence[LatentView], place: Hardware) -> Tensor:
    """What the classifier reads in views of any size."""
    latents = [torch.from_numpy(dequantised(v, codec.gain(v.level))).to(place.device) for v in views]
    quality = torch.cat([quality_of(v.level) for v in views]).to(place.device)
    with place.mixed_precision():
        logits: Tensor = reader(latents, [(v.height, v.width) for v in views], quality)
    return logits.float()


def teacher_of(views: Sequence[LatentView]) -> Tensor:
    """The teacher's logits of views."""
    return torch.from_numpy(np.stack([v.teacher for v in views]))


def make_optimiser(classifier: LatentClassifier, config: ClassifierTrainingConfig) -> torch.optim.AdamW:
    """AdamW; the linear layers before the blocks learn slower."""
    linear = [*classifier.stem.parameters(), *classifier.embed.parameters()]
    slow = {id(p) for p in linear}
    groups = [
        {"params": [p for p in classifier.parameters() if id(p) not in slow], "share": 1.0},
        {"params": linear, "share": config.linear_rate},
    ]
    return torch.optim.AdamW(groups, lr=config.learning_rate, weight_decay=config.weight_decay)


@torch.no_grad()
def validate(reader: Reader, codec: TransformModel, views: Sequence[LatentView], place: Hardware) -> dict[str, float]:
    """Top-1 agreement and mean top-100 overlap with the teacher's reading of the uncoded images, by level."""
    row: dict[str, float] = {}
    for level in sorted({v.level for v in views}):
        own = [v for v in views if v.level == level]
        chunks = [own[i : i + 16] for i in range(0, len(own), 16)]
        found = torch.cat([logits_of(reader, codec, chunk, place).cpu() for chunk in chunks])
        wanted = teacher_of(own)
        a, b = found.topk(TOP_K).indices, wanted.topk(TOP_K).indices
        row[f"top1_q{level}"] = float((found.argmax(1) == wanted.argmax(1)).float().mean())
        row[f"top100_q{level}"] = float((a[:, :, None] == b[:, None, :]).any(2).float().mean())
    return row


def train_classifier(
    config_path: Path | None,
    data: Sequence[Path],
    teacher_path: Path,
    codec_path: Path,
    out: Path,
    *,
    begin: Path | None = None,
    smoke: bool = False,
    threads: int | None = None,
    report: Report | None = None,
) -> Path:
    """Train, or resume training, the classifier of latents; returns the weights file.

    Args:
        config_path: TOML configuration; None for the shipped one.
        data: folders or .tar files of training images (labels are not used).
        teacher_path: timm safetensors of vit_tiny_patch16_224 (augreg_in21k_ft_in1k).
        codec_path: weights of `vitiq train codec`, whose latents are read.
        out: run folder; holds the checkpoint, `log.csv`, `curves.png`, the caches and the weights.
        begin: weights file to start from where there is no checkpoint; None for the teacher reading coefficients.
        smoke: a few steps, for tests.
        threads: CPU threads; None leaves torch's choice.

    Raises:
        InputError: the configuration or the data cannot be used.
        WeightsError: the teacher, the codec or the checkpoint cannot be read.
    """
    config = load_config(config_path, smoke=smoke)
    if threads is not None:
        torch.set_num_threads(threads)
    teacher, codec = load_teacher(teacher_path).model, load_model(codec_path)
    space = latent_space(codec)
    out.mkdir(parents=True, exist_ok=True)
    sides = (config.smallest_view, config.largest_view)
    with hardware() as place:

        def make(crops: Sequence[np.ndarray], levels: Sequence[int]) -> list[LatentView]:
            return coded_views(codec, teacher, crops, levels)

        def views_on_disk() -> tuple[list[LatentView], list[LatentView]]:
            limit = SMOKE_IMAGES if smoke else None
            images = ImageSet.open(data, out / "images", short_side=512, limit=limit)
            training, held_out = images.split(config.held_out)
            folder = out / f"views-{space[:12]}"
            drawn = training_views(images, training, config.views, sides, config.seed, make, folder)
            return drawn, held_out_views(images, held_out, VALIDATED, make, folder)

        views, validation = place.first(views_on_disk)
        classifier = (
            from_vit(prune(teacher, config.kept_blocks), codec) if begin is None else EmbeddedClassifier(begin).model
        )
        earlier = steps_behind(begin)
        reader = Reader(place.place(classifier.train().requires_grad_(True)))
        spread = place.spread(reader)
        optimiser = make_optimiser(classifier, config)
        average = Ema(classifier, config.ema)
        parts: dict[str, Stateful] = {"model": classifier, "optimiser": optimiser, "average": average}
        start = load_checkpoint(out / "checkpoint.pt", parts)
        log, weights = CsvLog(out / "log.csv", start) if place.leads else None, out / "classifier_embedded.safetensors"

        for step in range(start, config.steps):
            rng = np.random.default_rng([config.seed, 1, step])
            drawn = rng.integers(0, len(views), config.batch)
            batch = [views[int(drawn[k])] for k in place.share(config.batch)]
            row = train_step(config, spread, optimiser, codec, batch, step, place)
            average.update(classifier)
            done = step + 1
            if log is None:
                continue
            if done % config.validate_every == 0 or done == config.steps:
                with average.applied(classifier):
                    row |= validate(reader, codec, validation, place)
            log.write(done, row)
            if done % config.checkpoint_every == 0 or done == config.steps:
                save_checkpoint(out / "checkpoint.pt", done, parts)
                figures = [f"{kind}_q{level}" for kind in ("top1", "top100") for level in VALIDATED]
                draw_curves(log.rows, ("loss",), figures).savefig(out / "curves.png")
                with average.applied(classifier):
                    export_weights(classifier, space, earlier + done, weights)
            if report is not None:
                report(done, config.steps, row["loss"])
    return weights


def train_step(  # noqa: PLR0917 - the loop's whole state
    config: ClassifierTrainingConfig,
    reader: Reader,
    optimiser: torch.optim.Optimizer,
    codec: TransformModel,
    batch: Sequence[LatentView],
    step: int,
    place: Hardware,
) -> dict[str, float]:
    """One optimiser step; returns what is logged."""
    rate = cosine(step, config.steps, config.warmup_steps, config.learning_rate, config.final_learning_rate)
    for group in optimiser.param_groups:
        group["lr"] = rate * group["share"]
    found = logits_of(reader, codec, batch, place)
    loss = soft_loss(found, teacher_of(batch).to(place.device), config.temperature)
    optimiser.zero_grad(set_to_none=True)
    torch.autograd.backward(loss)
    norm = nn.utils.clip_grad_norm_(reader.parameters(), config.gradient_clip)
    if bool(torch.isfinite(norm)):
        optimiser.step()
    return {"loss": float(loss.detach()), "learning_rate": rate, "gradient_norm": float(norm)}
