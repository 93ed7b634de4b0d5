"""Training of the embedded ViT (`vitiq train vit`): a shallower student distilled from a real ViT.

The student starts from most blocks of the first teacher (depth pruning, as in DistilBERT, Sanh et al. 2019, arXiv
1910.01108; "weight selection", Xu et al. 2024, arXiv 2311.18823) and all of it is then trained to give the labels that
all teachers give on average (Hinton et al. 2015, arXiv 1503.02531), each teacher's logits at one scale (Sun et
al. 2024, "Logit standardization in knowledge distillation", arXiv 2403.01427), and to hold all teachers' tokens, on
clean and on degraded views: degraded images are what it will read.

Everything random in a step comes from (seed, step), so a resumed run continues the same sequence.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn

from vitiq.codecs.inversion.generators.embedded import EmbeddedGenerator
from vitiq.models.vit import VisionTransformer
from vitiq.training.agreement import agreement, agreement_names
from vitiq.training.config import read_config
from vitiq.training.curves import draw_curves
from vitiq.training.data import ImageSet
from vitiq.training.hardware import Hardware, batches, hardware
from vitiq.training.loop import CsvLog, Ema, Stateful, cosine, load_checkpoint, save_checkpoint
from vitiq.training.student import export_weights, matched_blocks, prune, start_from
from vitiq.training.teachers import Teacher, blended, load_teacher, soft_loss
from vitiq.training.token_readers import TokenReaders
from vitiq.training.vit_views import TrainingViews, mixed, normalised, repainted, to_input, view
from vitiq.weights.file import steps_behind

Report = Callable[[int, int, float], None]
SMOKE_IMAGES = 16
"""Images of each source that a smoke run decodes."""


@dataclass(frozen=True, slots=True)
class VitTrainingConfig:
    """Settings of `configs/vit.toml`, in the same words."""

    seed: int
    kept_blocks: tuple[int, ...]
    steps: int
    batch: int
    learning_rate: float
    final_learning_rate: float
    warmup_steps: int
    weight_decay: float
    gradient_clip: float
    ema: float
    hidden_weight: float
    temperatures: tuple[float, ...]
    degraded_share: float
    detail_share: float
    graphic_share: float
    painted_share: float
    mixed_share: float
    checkpoint_every: int
    validate_every: int
    held_out: int


def load_config(path: Path | None = None, *, smoke: bool = False) -> VitTrainingConfig:
    """Read a configuration file (default: the shipped one).

    Raises:
        InputError: the file cannot be read or has unknown or missing keys.
    """

    def build(values: dict[str, Any]) -> VitTrainingConfig:
        lists = {name: tuple(values[name]) for name in ("kept_blocks", "temperatures")}
        return VitTrainingConfig(**{**values, **lists})

    config = read_config(path, "vit", build, "ViT")
    if smoke:
        return replace(
            config, steps=4, batch=2, warmup_steps=1, detail_share=0.0, checkpoint_every=2, validate_every=4, held_out=4
        )
    return config


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
    soft = torch.stack([soft_loss(logits, target, t) for t in config.temperatures]).mean()
    distance = readers.distance(own, wanted)
    return soft + config.hidden_weight * distance, soft.detach(), distance.detach()


def train_vit(
    config_path: Path | None,
    data: Sequence[Path],
    teacher_paths: Sequence[Path],
    out: Path,
    *,
    begin: Path | None = None,
    smoke: bool = False,
    threads: int | None = None,
    report: Report | None = None,
) -> Path:
    """Train, or resume training, the embedded ViT; returns the weights file.

    Args:
        config_path: TOML configuration; None for the shipped one.
        data: folders or .tar files of training images (labels are not used).
        teacher_paths: checkpoints of ViT-Ti/16; the student starts from the first.
        out: run folder; holds the checkpoint, `log.csv`, `curves.png`, the cache of images and the weights.
        begin: weights file to start from where there is no checkpoint; None for blocks of the first teacher.
        smoke: a few steps, for tests.
        threads: CPU threads; None leaves torch's choice.

    Raises:
        InputError: the configuration or the data cannot be used.
        WeightsError: a teacher, the weights to start from or the checkpoint cannot be read.
    """
    config = load_config(config_path, smoke=smoke)
    if threads is not None:
        torch.set_num_threads(threads)
    teachers = [load_teacher(path) for path in teacher_paths]
    student = prune(teachers[0].model, config.kept_blocks)
    if begin is not None:
        start_from(student, begin)
    earlier = steps_behind(begin)
    size = student.config.image_size
    out.mkdir(parents=True, exist_ok=True)
    with hardware() as place:
        limit = SMOKE_IMAGES if smoke else None
        images = place.first(lambda: ImageSet.open(data, out / "images", short_side=512, limit=limit))
        training, held_out = images.split(config.held_out)

        def fixed_views(degraded: float) -> Float[Tensor, "n 3 s s"]:
            seeds = (np.random.default_rng([config.seed, i]) for i in held_out)
            chosen = [view(rng, images[i], size, degraded) for rng, i in zip(seeds, held_out, strict=True)]
            return to_input(chosen).to(place.device)

        clean, degraded = fixed_views(0.0), fixed_views(1.0)
        readers = TokenReaders(len(teachers), student.config.depth, student.config.width)
        for module in (student, readers, *(teacher.model for teacher in teachers)):
            module.to(place.device)
        generator = EmbeddedGenerator().to(place.device)
        learner = place.spread(Distillation(config, student, readers, teachers))
        optimiser = torch.optim.AdamW(learner.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay)
        average = Ema(student, config.ema)
        parts: dict[str, Stateful] = {
            "model": student,
            "readers": readers,
            "optimiser": optimiser,
            "average": average,
        }
        start = load_checkpoint(out / "checkpoint.pt", parts)
        log = CsvLog(out / "log.csv", start) if place.leads else None
        weights = out / "vit_embedded.safetensors"

        views = TrainingViews(config, images, training, size)

        def make(step: int) -> Tensor:
            return views.batch(step, place.share(config.batch))

        for step, batch in enumerate(batches(make, start, config.steps, place), start):
            row = train_step(config, learner, optimiser, generator, batch, step, place)
            average.update(student)
            done = step + 1
            if log is None:
                continue
            if done % config.validate_every == 0 or done == config.steps:
                with average.applied(student):
                    row |= agreement(student, teachers, clean, degraded)
            log.write(done, row)
            if done % config.checkpoint_every == 0 or done == config.steps:
                save_checkpoint(out / "checkpoint.pt", done, parts)
                draw_curves(log.rows, ("kl", "hidden"), agreement_names(len(teachers))).savefig(out / "curves.png")
                with average.applied(student):
                    export_weights(student, earlier + done, weights)
            if report is not None:
                report(done, config.steps, row["loss"])
    return weights


def train_step(  # noqa: PLR0917 - the loop's whole state
    config: VitTrainingConfig,
    learner: Distillation,
    optimiser: torch.optim.Optimizer,
    generator: EmbeddedGenerator,
    batch: UInt8[Tensor, "n s s 3"],
    step: int,
    place: Hardware,
) -> dict[str, float]:
    """One optimiser step, in which some views are painted again and some mixed; returns what is logged."""
    rng = np.random.default_rng([config.seed, 2, step, place.rank])
    views = mixed(rng, repainted(rng, normalised(batch), generator, config.painted_share), config.mixed_share)
    rate = cosine(step, config.steps, config.warmup_steps, config.learning_rate, config.final_learning_rate)
    for group in optimiser.param_groups:
        group["lr"] = rate
    with place.mixed_precision():
        loss, kl, hidden = learner(views)
    optimiser.zero_grad(set_to_none=True)
    torch.autograd.backward(loss)
    norm = nn.utils.clip_grad_norm_(learner.parameters(), config.gradient_clip)
    if bool(torch.isfinite(norm)):
        optimiser.step()
    return {"kl": float(kl), "hidden": float(hidden), "loss": float(loss.detach()), "learning_rate": rate}


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
