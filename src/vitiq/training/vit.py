"""Training of the embedded ViT (`vitiq train vit`): a shallower student distilled from a real ViT.

The student starts from most blocks of the first teacher (depth pruning, as in DistilBERT, Sanh et al. 2019, arXiv
1910.01108; "weight selection", Xu et al. 2024, arXiv 2311.18823) and all of it is then trained to give the labels that
all teachers give on average (Hinton et al. 2015, arXiv 1503.02531), each teacher's logits at one scale (Sun et
al. 2024, "Logit standardization in knowledge distillation", arXiv 2403.01427), and the first teacher's tokens, on
clean and on degraded views: degraded pictures are what it will read.

Everything random in a step comes from (seed, step), so a resumed run continues the same sequence.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from vitiq.errors import WeightsError
from vitiq.models.generators.embedded import EmbeddedGenerator
from vitiq.models.vit import VisionTransformer
from vitiq.models.weights_file import write_weights
from vitiq.training.config import read_config
from vitiq.training.curves import draw_curves
from vitiq.training.data import PictureSet
from vitiq.training.hardware import Hardware, batches, hardware
from vitiq.training.loop import CsvLog, Ema, Stateful, bf16_if_fast, cosine, load_checkpoint, save_checkpoint
from vitiq.training.teachers import Teacher, blended, load_teacher, soft_loss
from vitiq.training.vit_views import repainted, to_input, view

Report = Callable[[int, int, float], None]
TOP_K = 100
SMOKE_PICTURES = 16
"""Pictures of each source that a smoke run decodes."""


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
    painted_share: float
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
        return replace(config, steps=4, batch=2, warmup_steps=1, checkpoint_every=2, validate_every=4, held_out=4)
    return config


def prune(teacher: VisionTransformer, kept: Sequence[int]) -> VisionTransformer:
    """A student with the teacher's embeddings, head and the kept blocks."""
    config = replace(teacher.config, depth=len(kept))
    student = VisionTransformer(config)
    state = {k: v for k, v in teacher.state_dict().items() if not k.startswith("blocks.")}
    for new, old in enumerate(kept):
        prefix = f"blocks.{old}."
        for name, value in teacher.state_dict().items():
            if name.startswith(prefix):
                state[f"blocks.{new}.{name[len(prefix) :]}"] = value
    student.load_state_dict(state)
    return student


def matched_blocks(kept: Sequence[int], depth: int) -> list[int]:
    """Teacher block whose output each student block should reach: the one before the next kept block."""
    return [following - 1 for following in kept[1:]] + [depth - 1]


def distillation_loss(
    config: VitTrainingConfig,
    student: VisionTransformer,
    teachers: Sequence[Teacher],
    pictures: Float[Tensor, "n 3 s s"],
) -> tuple[Tensor, dict[str, float]]:
    """KL to the teachers' labels plus the distance of normalised tokens to the first's, after every student block."""
    depth, first = len(config.kept_blocks), teachers[0]
    with torch.no_grad():
        blocks = matched_blocks(config.kept_blocks, first.model.config.depth)
        teacher_tokens, teacher_hidden = first.model.forward_hidden(first.prepared(pictures), blocks)
        own = first.model.head(teacher_tokens[:, 0]).float()
        target = blended([own, *(t.model(t.prepared(pictures)).float() for t in teachers[1:])])
    tokens, hidden = student.forward_hidden(pictures, range(depth))
    logits = student.head(tokens[:, 0]).float()
    soft = torch.stack([soft_loss(logits, target, t) for t in config.temperatures]).mean()
    width = (student.config.width,)
    pairs = [
        (F.layer_norm(a.float(), width), F.layer_norm(b.float(), width))
        for a, b in zip(hidden, teacher_hidden, strict=True)
    ]
    tokenwise = torch.stack([F.mse_loss(a, b) for a, b in pairs]).mean()
    # The class token is one of 197 and carries the label.
    tokenwise = tokenwise + F.mse_loss(pairs[-1][0][:, 0], pairs[-1][1][:, 0])
    loss = soft + config.hidden_weight * tokenwise
    return loss, {"kl": float(soft.detach()), "hidden": float(tokenwise.detach())}


@torch.no_grad()
def validate(student: VisionTransformer, teacher: Teacher, pictures: Float[Tensor, "n 3 s s"]) -> tuple[float, float]:
    """Top-1 agreement and mean top-100 overlap with a teacher."""
    same, overlap = 0, 0.0
    for batch in torch.split(pictures, 32):
        with bf16_if_fast():
            p, q = teacher.model(teacher.prepared(batch)).float(), student(batch).float()
        same += int((p.argmax(1) == q.argmax(1)).sum())
        a, b = p.topk(TOP_K).indices, q.topk(TOP_K).indices
        overlap += float((a[:, :, None] == b[:, None, :]).any(2).float().mean(1).sum())
    return same / len(pictures), overlap / len(pictures)


def agreement_names(teachers: int) -> list[str]:
    """Columns of `agreement`."""
    kinds = ("top1", "top100", "top1_degraded", "top100_degraded")
    return [f"{kind}_teacher{number}" for number in range(1, teachers + 1) for kind in kinds]


def agreement(
    student: VisionTransformer,
    teachers: Sequence[Teacher],
    clean: Float[Tensor, "n 3 s s"],
    degraded: Float[Tensor, "n 3 s s"],
) -> dict[str, float]:
    """What `validate` finds with every teacher on clean and on degraded views."""
    values = [v for teacher in teachers for views in (clean, degraded) for v in validate(student, teacher, views)]
    return dict(zip(agreement_names(len(teachers)), values, strict=True))


def export_weights(student: VisionTransformer, steps: int, path: Path) -> None:
    """Write the student in half precision with its configuration in the metadata."""
    tensors = {name: value.cpu().to(torch.float16).contiguous() for name, value in student.state_dict().items()}
    facts = {
        "format": "vitiq-vit-1",
        "config": asdict(student.config),
        "labels": "imagenet-1k",
        "mean": [0.5, 0.5, 0.5],
        "std": [0.5, 0.5, 0.5],
        "steps": steps,
    }
    write_weights(path, tensors, facts)


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
        data: folders or .tar files of training pictures (labels are not used).
        teacher_paths: checkpoints of ViT-Ti/16; the student starts from the first.
        out: run folder; holds the checkpoint, `log.csv`, `curves.png`, the cache of pictures and the weights.
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
    size, generator = student.config.image_size, EmbeddedGenerator()
    out.mkdir(parents=True, exist_ok=True)
    with hardware() as place:
        limit = SMOKE_PICTURES if smoke else None
        pictures = place.first(lambda: PictureSet.open(data, out / "pictures", short_side=256, limit=limit))
        training, held_out = pictures.split(config.held_out)

        def fixed_views(degraded: float) -> Float[Tensor, "n 3 s s"]:
            seeds = (np.random.default_rng([config.seed, i]) for i in held_out)
            views = [view(rng, pictures[i], size, degraded) for rng, i in zip(seeds, held_out, strict=True)]
            return to_input(views).to(place.device)

        clean, degraded = fixed_views(0.0), fixed_views(1.0)
        student = student.to(place.device)
        for teacher in teachers:
            teacher.model.to(place.device)
        learner = place.spread(Distillation(config, student, teachers))
        optimiser = torch.optim.AdamW(student.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay)
        average = Ema(student, config.ema)
        parts: dict[str, Stateful] = {"model": student, "optimiser": optimiser, "average": average}
        start = load_checkpoint(out / "checkpoint.pt", parts)
        log = CsvLog(out / "log.csv", start) if place.leads else None
        weights = out / "vit_embedded.safetensors"

        def make(step: int) -> Tensor:
            rng = np.random.default_rng([config.seed, 1, step])
            chosen = [training[int(i)] for i in rng.integers(0, len(training), config.batch)]
            seeds = rng.integers(0, 2**32, config.batch)
            share = place.share(config.batch)
            rngs = [np.random.default_rng(int(seeds[k])) for k in share]
            views = [
                view(r, pictures[chosen[k]], size, config.degraded_share) for r, k in zip(rngs, share, strict=True)
            ]
            return repainted(rngs[0], to_input(views), generator, config.painted_share)

        for step, batch in enumerate(batches(make, start, config.steps, place), start):
            row = train_step(config, learner, optimiser, batch, step, place)
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
                    export_weights(student, done, weights)
            if report is not None:
                report(done, config.steps, row["loss"])
    return weights


def train_step(  # noqa: PLR0917 - the loop's whole state
    config: VitTrainingConfig,
    learner: Distillation,
    optimiser: torch.optim.Optimizer,
    batch: Float[Tensor, "n 3 s s"],
    step: int,
    place: Hardware,
) -> dict[str, float]:
    """One optimiser step; returns what is logged."""
    rate = cosine(step, config.steps, config.warmup_steps, config.learning_rate, config.final_learning_rate)
    for group in optimiser.param_groups:
        group["lr"] = rate
    with place.mixed_precision():
        loss, kl, hidden = learner(batch)
    optimiser.zero_grad(set_to_none=True)
    torch.autograd.backward(loss)
    norm = nn.utils.clip_grad_norm_(learner.parameters(), config.gradient_clip)
    if bool(torch.isfinite(norm)):
        optimiser.step()
    return {"kl": float(kl), "hidden": float(hidden), "loss": float(loss.detach()), "learning_rate": rate}


class Distillation(nn.Module):
    """The student's loss as a module, so that several processes can share it; the teachers are no part of it."""

    def __init__(self, config: VitTrainingConfig, student: VisionTransformer, teachers: Sequence[Teacher]) -> None:
        super().__init__()
        self.student = student
        self._config, self._teachers = config, tuple(teachers)

    def forward(self, pictures: Float[Tensor, "n 3 s s"]) -> tuple[Tensor, Tensor, Tensor]:
        """Loss, and its two parts without gradient, as `distillation_loss`."""
        loss, row = distillation_loss(self._config, self.student, self._teachers, pictures)
        return loss, torch.tensor(row["kl"]), torch.tensor(row["hidden"])


def start_from(student: VisionTransformer, path: Path) -> None:
    """Give a student the weights of an exported file.

    Raises:
        WeightsError: the file cannot be used.
    """
    try:
        student.load_state_dict({name: value.float() for name, value in load_file(path).items()})
    except (OSError, RuntimeError, SafetensorError) as error:
        told = str(error).splitlines()[0]
        raise WeightsError(f"{path}: not weights of this student ({told}); give a file of `vitiq train vit`") from error
