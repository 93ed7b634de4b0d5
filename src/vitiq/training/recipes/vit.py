"""Training of the embedded ViT (`vitiq train vit`): a shallower student distilled from a real ViT.

The student starts from most blocks of the first teacher (depth pruning, as in DistilBERT, Sanh et al. 2019, arXiv
1910.01108; "weight selection", Xu et al. 2024, arXiv 2311.18823) and all of it is then trained to give the labels that
all teachers give on average (Hinton et al. 2015, arXiv 1503.02531), each teacher's logits at one scale (Sun et
al. 2024, "Logit standardization in knowledge distillation", arXiv 2403.01427), and to hold all teachers' tokens, on
clean and on degraded views: degraded images are what it will read.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Self

import msgspec
import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from vitiq.codecs.inversion.generators.embedded import EmbeddedGenerator
from vitiq.models.vit import Positions, VisionTransformer
from vitiq.training.agreement import agreement, agreement_names
from vitiq.training.checkpoint import Ema, Stateful
from vitiq.training.config import DistillationConfig, Dropped, NotNegative, Positive, Share
from vitiq.training.engine import Inputs, Recipe, Row, descend
from vitiq.training.hardware import Hardware
from vitiq.training.student import (
    Blocks,
    check_blocks,
    export_weights,
    matched_blocks,
    prune,
    set_dropout,
    start_from,
)
from vitiq.training.teachers import Teacher, blended, load_teacher, soft_loss
from vitiq.training.token_readers import TokenReaders
from vitiq.training.vit_views import TrainingViews, mixed, normalised, regenerated, to_input, view


class VitTrainingConfig(DistillationConfig, frozen=True, kw_only=True):
    """Settings of `configs/vit.toml`, in the same words."""

    name = "vit"
    title = "ViT"
    kept_blocks: Blocks
    hidden_weight: NotNegative
    temperatures: Annotated[tuple[Positive, ...], msgspec.Meta(min_length=1)]
    degraded_share: Share
    detail_share: Share
    graphic_share: Share
    generated_share: Share
    mixed_share: Share
    positions: Positions = "learned"
    dropout: Dropped = 0.0
    label_smoothing: Share = 0.0

    def __post_init__(self) -> None:
        """Refuses blocks that are out of order."""
        check_blocks(self.kept_blocks)

    def small(self) -> Self:
        """Few steps on few small images."""
        steps = {"steps": 4, "batch": 2, "warmup_steps": 1, "checkpoint_every": 2, "validate_every": 4}
        return msgspec.structs.replace(self, detail_share=0.0, held_out=4, **steps)


class VitRecipe(Recipe[VitTrainingConfig]):
    """A student, readers of its tokens, and its teachers."""

    config_class = VitTrainingConfig
    weights_file = "vit_embedded.safetensors"
    losses = ("kl", "hidden")

    def __init__(self, config: VitTrainingConfig, inputs: Inputs, hardware: Hardware) -> None:
        self.teachers = [load_teacher(path) for path in inputs.teachers]
        super().__init__(config, inputs, hardware)
        self.model = self.student = prune(self.teachers[0].model, config.kept_blocks, config.positions)
        if inputs.begin is not None:
            start_from(self.student, inputs.begin)
        self.readers = TokenReaders(len(self.teachers), self.student.config.depth, self.student.config.width)
        set_dropout(self.student, config.dropout)
        self.generator = EmbeddedGenerator().to(hardware.device)
        for module in (self.student, self.readers, *(teacher.model for teacher in self.teachers)):
            module.to(hardware.device)
        self._learner = hardware.data_parallel(Distillation(config, self.student, self.readers, self.teachers))
        self._learning = [p for p in self._learner.parameters() if p.requires_grad]  # fixed positions do not
        self.optimiser = torch.optim.AdamW(self._learning, lr=config.learning_rate, weight_decay=config.weight_decay)
        self.average = Ema(self.student, config.ema)
        self.figures = agreement_names(len(self.teachers))
        self._views = TrainingViews(config, self.images, self.training, self.student.config.image_size)
        self._clean, self._degraded = (self._fixed_views(share) for share in (0.0, 1.0))

    def _fixed_views(self, degraded: float) -> Float[Tensor, "n 3 s s"]:
        seeds = (np.random.default_rng([self.config.seed, i]) for i in self.held_out)
        size = self.student.config.image_size
        chosen = [view(rng, self.images[i], size, degraded) for rng, i in zip(seeds, self.held_out, strict=True)]
        return to_input(chosen).to(self.hardware.device)

    def parts(self) -> dict[str, Stateful]:
        """Student, readers, optimiser and average."""
        return super().parts() | {"readers": self.readers}

    def batch(self, step: int) -> Tensor:
        """Views of this process, as bytes."""
        return self._views.batch(step, self.hardware.local_indices(self.config.batch))

    def step(self, batch: Tensor, step: int) -> Row:
        """One step, in which some views are made by the generator and some mixed."""
        config = self.config
        rng = np.random.default_rng([config.seed, 2, step, self.hardware.rank])
        some = regenerated(rng, normalised(batch), self.generator, config.generated_share)
        views = mixed(rng, some, config.mixed_share)
        rate = self.set_rate(step)
        torch.manual_seed(int(rng.integers(0, 2**31)))  # what is dropped
        with self.hardware.mixed_precision():
            loss, kl, hidden = self._learner(views)
        norm = descend(loss, self.optimiser, self._learning, config.gradient_clip)
        self.average.update(self.student)
        row = {"kl": float(kl), "hidden": float(hidden), "loss": float(loss.detach()), "learning_rate": rate}
        return row | {"gradient_norm": norm}

    def validate(self, done: int) -> Row:  # noqa: ARG002
        """Agreement with every teacher on clean and degraded views."""
        self.student.eval()
        found = agreement(self.student, self.teachers, self._clean, self._degraded)
        self.student.train()
        return found

    def export(self, done: int, path: Path) -> None:
        """The student in half precision."""
        export_weights(self.student, self.earlier + done, path)


def distillation_loss(
    config: VitTrainingConfig,
    student: VisionTransformer,
    readers: TokenReaders,
    teachers: Sequence[Teacher],
    images: Float[Tensor, "n 3 s s"],
) -> tuple[Tensor, Tensor, Tensor]:
    """KL to the teachers' labels plus the distance to their tokens, after every student block; and both parts."""
    labels, wanted = [], []
    with torch.no_grad():
        for teacher in teachers:
            blocks = matched_blocks(config.kept_blocks, teacher.model.config.depth)
            tokens, hidden = teacher.model.forward_hidden(teacher.prepared(images), blocks)
            labels.append(teacher.model.head(tokens[:, 0]).float())
            wanted.append(hidden)
        target = blended(labels)
    tokens, own = student.forward_hidden(images, range(len(config.kept_blocks)))
    logits = student.head(tokens[:, 0]).float()
    soft = torch.stack([soft_loss(logits, target, t, config.label_smoothing) for t in config.temperatures]).mean()
    distance = readers.distance(own, wanted)
    return soft + config.hidden_weight * distance, soft.detach(), distance.detach()


class Distillation(nn.Module):
    """The student's loss as a module, so that several processes can share it; the teachers are no part of it."""

    def __init__(
        self,
        config: VitTrainingConfig,
        student: VisionTransformer,
        readers: TokenReaders,
        teachers: Sequence[Teacher],
    ) -> None:
        super().__init__()
        self.student, self.readers = student, readers
        self._config, self._teachers = config, tuple(teachers)

    def forward(self, images: Float[Tensor, "n 3 s s"]) -> tuple[Tensor, Tensor, Tensor]:
        """Loss, and its two parts without gradient, as `distillation_loss`."""
        return distillation_loss(self._config, self.student, self.readers, self._teachers, images)
