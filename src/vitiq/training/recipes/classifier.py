"""Training of the classifier of latents (`vitiq train classifier`): a ViT distilled onto latents of coded images.

It starts as the teacher reading coefficients (`from_vit`) and learns to give, from latents at any quality, the labels
that the teacher gives the image before coding (Hinton et al. 2015, arXiv 1503.02531).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Self

import msgspec
import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from vitiq.codecs.transform.latent_classifier import (
    EmbeddedClassifier,
    LatentClassifier,
    export_weights,
    from_vit,
)
from vitiq.codecs.transform.networks.embedded import WEIGHTS, TransformModel, load_model, quality_of
from vitiq.models.top_labels import shared_labels
from vitiq.training.agreement import TOP_K
from vitiq.training.checkpoint import Ema
from vitiq.training.config import (
    Count,
    DistillationConfig,
    Dropped,
    Positive,
    Share,
    check_order,
)
from vitiq.training.data import digest_of
from vitiq.training.engine import Inputs, Recipe, Row, descend
from vitiq.training.hardware import Hardware
from vitiq.training.latent_views import LatentView, coded_views, dequantised, held_out_views, training_views
from vitiq.training.student import Blocks, check_blocks, prune, set_dropout
from vitiq.training.teachers import load_teacher, soft_loss
from vitiq.weights.store import sha256_file

VALIDATED = (5, 18, 45)
"""Quality levels that held-out images are coded at."""


class ClassifierTrainingConfig(DistillationConfig, frozen=True, kw_only=True):
    """Settings of `configs/classifier.toml`, in the same words."""

    name = "classifier"
    kept_blocks: Blocks
    views: Count
    smallest_view: Count
    largest_view: Count
    linear_rate: Positive
    temperature: Positive
    dropout: Dropped = 0.0
    label_smoothing: Share = 0.0

    def __post_init__(self) -> None:
        """Refuses what does not fit together."""
        check_blocks(self.kept_blocks)
        check_order("smallest_view", self.smallest_view, "largest_view", self.largest_view)

    def small(self) -> Self:
        """Few steps on few small images."""
        data = {"views": 6, "smallest_view": 48, "largest_view": 64, "held_out": 2, "kept_blocks": (0, 11)}
        steps = {"steps": 4, "batch": 2, "warmup_steps": 1, "checkpoint_every": 2, "validate_every": 4}
        return msgspec.structs.replace(self, **data, **steps)


class Reader(nn.Module):
    """The classifier on latents of images of any size, as one module that several processes can share."""

    def __init__(self, classifier: LatentClassifier) -> None:
        super().__init__()
        self.classifier = classifier

    def forward(
        self, latents: Sequence[Float[Tensor, "_ _ _"]], sizes: Sequence[tuple[int, int]], quality: Float[Tensor, "n 3"]
    ) -> Float[Tensor, "n classes"]:
        """Logits of dequantised latents of images of `sizes` (height, width)."""
        patches = [self.classifier.patches(y, *size) for y, size in zip(latents, sizes, strict=True)]
        logits: Tensor = self.classifier(torch.stack(patches), quality)
        return logits


class ClassifierRecipe(Recipe[ClassifierTrainingConfig]):
    """A classifier that reads what a codec codes, and views coded once before it starts."""

    config_class = ClassifierTrainingConfig
    weights_file = "classifier_embedded.safetensors"
    shipped = MappingProxyType({"codec": WEIGHTS})
    losses = ("loss",)
    figures = tuple(f"{kind}_q{level}" for kind in ("top1", "top100") for level in VALIDATED)

    def __init__(self, config: ClassifierTrainingConfig, inputs: Inputs, hardware: Hardware) -> None:
        (teacher_path,) = inputs.teachers
        teacher, self.codec = load_teacher(teacher_path).model, load_model(inputs.codec or WEIGHTS)
        super().__init__(config, inputs, hardware)
        self._space = self.codec.latent_space
        if inputs.begin is None:
            classifier = from_vit(prune(teacher, config.kept_blocks), self.codec)
        else:
            classifier = EmbeddedClassifier(inputs.begin).model
        self.model = self.classifier = hardware.to_device(classifier.train().requires_grad_(True))
        set_dropout(self.classifier, config.dropout)
        self._reader = Reader(self.classifier)
        self._parallel = hardware.data_parallel(self._reader)
        self.optimiser = make_optimiser(self.classifier, config)
        self.average = Ema(self.classifier, config.ema)

        def make(crops: Sequence[np.ndarray], levels: Sequence[int]) -> list[LatentView]:
            return coded_views(self.codec, teacher, crops, levels)

        def views_on_disk() -> tuple[list[LatentView], list[LatentView]]:
            sides = (config.smallest_view, config.largest_view)
            made_from = [self.images.digest, self._space, sha256_file(teacher_path), sides, config.seed]
            folder = inputs.out / f"views-{digest_of([*made_from, len(self.held_out)])[:12]}"
            drawn = training_views(self.images, self.training, config.views, sides, config.seed, make, folder)
            return drawn, held_out_views(self.images, self.held_out, VALIDATED, make, folder)

        self._views, self._validation = hardware.main_first(views_on_disk)

    def batch(self, step: int) -> Tensor:
        """Numbers of this process's views."""
        rng = np.random.default_rng([self.config.seed, 1, step])
        drawn = rng.integers(0, len(self._views), self.config.batch)
        return torch.from_numpy(drawn[list(self.hardware.local_indices(self.config.batch))])

    def batches(self, start: int) -> Iterator[Tensor]:
        """Drawn here: the views are made already."""
        return map(self.batch, range(start, self.config.steps))

    def step(self, batch: Tensor, step: int) -> Row:
        """One step towards the teacher's labels."""
        config, views = self.config, [self._views[i] for i in batch.tolist()]
        rate = self.set_rate(step)
        # What is dropped.
        torch.manual_seed(int(np.random.default_rng([config.seed, 2, step, self.hardware.rank]).integers(0, 2**31)))
        found, wanted = logits_of(self._parallel, self.codec, views, self.hardware), teacher_of(views)
        loss = soft_loss(found, wanted.to(self.hardware.device), config.temperature, config.label_smoothing)
        norm = descend(loss, self.optimiser, self._parallel.parameters(), config.gradient_clip)
        self.average.update(self.classifier)
        return {"loss": float(loss.detach()), "learning_rate": rate, "gradient_norm": norm}

    def validate(self, done: int) -> Row:  # noqa: ARG002
        """Agreement with the teacher by level."""
        self.classifier.eval()
        found = validate(self._reader, self.codec, self._validation, self.hardware)
        self.classifier.train()
        return found

    def export(self, done: int, path: Path) -> None:
        """The classifier, and which codec's latents it reads."""
        export_weights(self.classifier, self._space, self.earlier + done, path)


def logits_of(reader: Reader, codec: TransformModel, views: Sequence[LatentView], hardware: Hardware) -> Tensor:
    """What the classifier reads in views of any size."""
    latents = [torch.from_numpy(dequantised(v, codec.gain(v.level))).to(hardware.device) for v in views]
    quality = torch.cat([quality_of(v.level) for v in views]).to(hardware.device)
    with hardware.mixed_precision():
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
def validate(reader: Reader, codec: TransformModel, views: Sequence[LatentView], hardware: Hardware) -> Row:
    """Top-1 agreement and mean top-100 overlap with the teacher's reading of the uncoded images, by level."""
    row: Row = {}
    for level in sorted({v.level for v in views}):
        own = [v for v in views if v.level == level]
        chunks = [own[i : i + 16] for i in range(0, len(own), 16)]
        found = torch.cat([logits_of(reader, codec, chunk, hardware).cpu() for chunk in chunks])
        wanted = teacher_of(own)
        row[f"top1_q{level}"] = float((found.argmax(1) == wanted.argmax(1)).float().mean())
        shared = shared_labels(found.float().numpy(), wanted.cpu().float().numpy(), TOP_K)
        row[f"top100_q{level}"] = float(shared.mean() / TOP_K)
    return row
