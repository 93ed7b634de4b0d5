"""Training of the embedded ViT (`vitiq train vit`): a shallower student distilled from a real ViT.

The student starts from every other block of the teacher (depth pruning, as in DistilBERT, Sanh et al. 2019, arXiv
1910.01108; "weight selection", Xu et al. 2024, arXiv 2311.18823) and all of it is then trained to give the
teacher's label distribution (Hinton et al. 2015, arXiv 1503.02531) and the teacher's tokens, on clean
and on degraded views: degraded pictures are what it will read.

Everything random in a step comes from (seed, step), so a resumed run continues the same sequence.
"""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float
from PIL import Image, ImageFilter
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from vitiq.errors import WeightsError
from vitiq.models.vit import VisionTransformer, ViTConfig
from vitiq.models.weights_file import write_weights
from vitiq.training.config import read_config
from vitiq.training.curves import draw_curves
from vitiq.training.data import PictureSet
from vitiq.training.hardware import Hardware, batches, hardware
from vitiq.training.loop import CsvLog, Ema, Stateful, bf16_if_fast, cosine, load_checkpoint, save_checkpoint
from vitiq.types import ImageU8

Report = Callable[[int, int, float], None]
TOP_K = 100
VALIDATED = ("top1", "top100", "top1_degraded", "top100_degraded")
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
    temperature: float
    degraded_share: float
    checkpoint_every: int
    validate_every: int
    held_out: int


def load_config(path: Path | None = None, *, smoke: bool = False) -> VitTrainingConfig:
    """Read a configuration file (default: the shipped one).

    Raises:
        InputError: the file cannot be read or has unknown or missing keys.
    """

    def build(values: dict[str, Any]) -> VitTrainingConfig:
        return VitTrainingConfig(**{**values, "kept_blocks": tuple(values["kept_blocks"])})

    config = read_config(path, "vit", build, "ViT")
    if smoke:
        return replace(config, steps=4, batch=2, warmup_steps=1, checkpoint_every=2, validate_every=4, held_out=4)
    return config


def load_teacher(path: Path) -> VisionTransformer:
    """The teacher: a timm checkpoint of a ViT-Ti/16 at 224 px in safetensors.

    Raises:
        WeightsError: missing, damaged or of another shape.
    """
    teacher = VisionTransformer(ViTConfig())
    try:
        teacher.load_state_dict(load_file(path))
    except Exception as error:
        raise WeightsError(
            f"{path}: not a timm ViT-Ti/16 checkpoint ({str(error).splitlines()[0]}); expected the "
            f"safetensors of vit_tiny_patch16_224"
        ) from error
    return teacher.eval().requires_grad_(False)


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


def degrade(rng: np.random.Generator, image: Image.Image) -> Image.Image:
    """A picture as codecs, small screens and noise leave it."""
    kind = int(rng.integers(0, 5))
    width, height = image.size
    if kind in (0, 1):
        buffer = io.BytesIO()
        form, low, high = ("JPEG", 2, 40) if kind == 0 else ("WEBP", 0, 30)
        image.save(buffer, form, quality=int(rng.integers(low, high)))
        return Image.open(buffer).convert("RGB")
    if kind == 2:
        return image.filter(ImageFilter.GaussianBlur(float(rng.uniform(0.5, 6.0))))
    if kind == 3:
        factor = math.exp(rng.uniform(math.log(1 / 18), math.log(1 / 2)))
        small = (max(4, round(width * factor)), max(4, round(height * factor)))
        back = (Image.Resampling.BICUBIC, Image.Resampling.BILINEAR)[int(rng.integers(0, 2))]
        return image.resize(small, Image.Resampling.LANCZOS).resize((width, height), back)
    noise = rng.normal(0, rng.uniform(3, 50), (height, width, 3))
    return Image.fromarray(np.clip(np.asarray(image) + noise, 0, 255).astype(np.uint8))


def view(rng: np.random.Generator, picture: ImageU8, size: int, degraded_share: float) -> ImageU8:
    """A random resized crop (area 0.3 … 1, aspect 3/4 … 4/3), flipped at random, sometimes degraded."""
    height, width, _ = picture.shape
    area = height * width * rng.uniform(0.3, 1.0)
    aspect = math.exp(rng.uniform(math.log(3 / 4), math.log(4 / 3)))
    w = min(width, max(8, round(math.sqrt(area * aspect))))
    h = min(height, max(8, round(math.sqrt(area / aspect))))
    left, top = int(rng.integers(0, width - w + 1)), int(rng.integers(0, height - h + 1))
    image = Image.fromarray(picture).resize((size, size), Image.Resampling.BICUBIC, (left, top, left + w, top + h))
    if rng.random() < 0.5:
        image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    if rng.random() < degraded_share:
        image = degrade(rng, image)
    return np.ascontiguousarray(image, dtype=np.uint8)


def to_input(pictures: Sequence[ImageU8]) -> Float[Tensor, "n 3 s s"]:
    """Stack of pictures, normalised with mean and standard deviation 0.5."""
    return torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2).float() / 127.5 - 1


def distillation_loss(
    config: VitTrainingConfig,
    student: VisionTransformer,
    teacher: VisionTransformer,
    pictures: Float[Tensor, "n 3 s s"],
) -> tuple[Tensor, dict[str, float]]:
    """KL to the teacher's labels plus the distance of normalised tokens after every student block."""
    depth = len(config.kept_blocks)
    with torch.no_grad():
        blocks = matched_blocks(config.kept_blocks, teacher.config.depth)
        teacher_tokens, teacher_hidden = teacher.forward_hidden(pictures, blocks)
        target = teacher.head(teacher_tokens[:, 0]).float()
    tokens, hidden = student.forward_hidden(pictures, range(depth))
    logits = student.head(tokens[:, 0]).float()
    t = config.temperature
    soft = F.kl_div(F.log_softmax(logits / t, 1), F.log_softmax(target / t, 1), log_target=True, reduction="batchmean")
    width = (student.config.width,)
    pairs = [
        (F.layer_norm(a.float(), width), F.layer_norm(b.float(), width))
        for a, b in zip(hidden, teacher_hidden, strict=True)
    ]
    tokenwise = torch.stack([F.mse_loss(a, b) for a, b in pairs]).mean()
    # The class token is one of 197 and carries the label.
    tokenwise = tokenwise + F.mse_loss(pairs[-1][0][:, 0], pairs[-1][1][:, 0])
    loss = soft * t * t + config.hidden_weight * tokenwise
    return loss, {"kl": float(soft.detach()), "hidden": float(tokenwise.detach())}


@torch.no_grad()
def validate(
    student: VisionTransformer, teacher: VisionTransformer, pictures: Float[Tensor, "n 3 s s"]
) -> tuple[float, float]:
    """Top-1 agreement and mean top-100 overlap with the teacher."""
    same, overlap = 0, 0.0
    for batch in torch.split(pictures, 32):
        with bf16_if_fast():
            p, q = teacher(batch).float(), student(batch).float()
        same += int((p.argmax(1) == q.argmax(1)).sum())
        a, b = p.topk(TOP_K).indices, q.topk(TOP_K).indices
        overlap += float((a[:, :, None] == b[:, None, :]).any(2).float().mean(1).sum())
    return same / len(pictures), overlap / len(pictures)


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
    teacher_path: Path,
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
        teacher_path: timm safetensors of vit_tiny_patch16_224 (augreg_in21k_ft_in1k).
        out: run folder; holds the checkpoint, `log.csv`, `curves.png`, the cache of pictures and the weights.
        begin: weights file to start from where there is no checkpoint; None for blocks of the teacher.
        smoke: a few steps, for tests.
        threads: CPU threads; None leaves torch's choice.

    Raises:
        InputError: the configuration or the data cannot be used.
        WeightsError: the teacher, the weights to start from or the checkpoint cannot be read.
    """
    config = load_config(config_path, smoke=smoke)
    if threads is not None:
        torch.set_num_threads(threads)
    teacher = load_teacher(teacher_path)
    student = prune(teacher, config.kept_blocks)
    if begin is not None:
        start_from(student, begin)
    size = teacher.config.image_size
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
        teacher, student = teacher.to(place.device), student.to(place.device)
        learner = place.spread(Distillation(config, student, teacher))
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
            return to_input(views)

        for step, batch in enumerate(batches(make, start, config.steps, place), start):
            row = train_step(config, learner, optimiser, batch, step, place)
            average.update(student)
            done = step + 1
            if log is None:
                continue
            if done % config.validate_every == 0 or done == config.steps:
                with average.applied(student):
                    values = validate(student, teacher, clean) + validate(student, teacher, degraded)
                    row |= dict(zip(VALIDATED, values, strict=True))
            log.write(done, row)
            if done % config.checkpoint_every == 0 or done == config.steps:
                save_checkpoint(out / "checkpoint.pt", done, parts)
                draw_curves(log.rows, ("kl", "hidden"), VALIDATED).savefig(out / "curves.png")
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
    """The student's loss as a module, so that several processes can share it; the teacher is no part of it."""

    def __init__(self, config: VitTrainingConfig, student: VisionTransformer, teacher: VisionTransformer) -> None:
        super().__init__()
        self.student = student
        self._config, self._teacher = config, (teacher,)

    def forward(self, pictures: Float[Tensor, "n 3 s s"]) -> tuple[Tensor, Tensor, Tensor]:
        """Loss, and its two parts without gradient, as `distillation_loss`."""
        loss, row = distillation_loss(self._config, self.student, self._teacher[0], pictures)
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
