"""Training of the transform codec (`vitiq train codec`): its bitstream and its synthesis for least squared error.

Minimises bits per pixel + λ · MSE (0-255 scale) with a quality drawn for each image, so that one network serves all
rates. Everything random in a step comes from (seed, step), so a resumed run continues the same sequence.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn

from vitiq.codecs.transform.hyperprior_integer import export_hyperprior
from vitiq.codecs.transform.networks.embedded import FORMAT, TransformModel
from vitiq.codecs.transform.networks.transform_codec import TransformCodec, error_weight
from vitiq.training.config import read_config
from vitiq.training.crops import Phase, Sampler, in_unit_range, phase_at, random_crop, stacked
from vitiq.training.curves import draw_curves
from vitiq.training.data import ImageSet
from vitiq.training.hardware import Hardware, batches, hardware
from vitiq.training.loop import CsvLog, Ema, Stateful, cosine, load_checkpoint, save_checkpoint
from vitiq.training.replay import Replay
from vitiq.weights.file import half, steps_behind, stored, write_weights

Report = Callable[[int, int, float], None]
"""Called after each step with (steps done, steps in all, loss)."""

VALIDATED = (0.15, 0.5, 0.85)
"""Qualities at which held-out images are coded."""


@dataclass(frozen=True, slots=True)
class CodecTrainingConfig:
    """Settings of `configs/codec.toml`, in the same words."""

    seed: int
    learning_rate: float
    final_learning_rate: float
    linear_rate: float
    warmup_steps: int
    gradient_clip: float
    ema: float
    balance: float
    graphic_share: float
    largest_shrink: float
    checkpoint_every: int
    validate_every: int
    held_out: int
    phases: tuple[Phase, ...]

    @property
    def steps(self) -> int:
        """Optimiser steps of all phases."""
        return sum(phase.steps for phase in self.phases)


def load_config(path: Path | None = None, *, smoke: bool = False) -> CodecTrainingConfig:
    """Read a configuration file (default: the shipped one).

    Raises:
        InputError: the file cannot be read or has unknown or missing keys.
    """

    def build(values: dict[str, Any]) -> CodecTrainingConfig:
        phases = tuple(Phase(**phase) for phase in values.pop("phases"))
        return CodecTrainingConfig(**values, phases=phases)

    config = read_config(path, "codec", build)
    if smoke:
        small = (Phase(4, 64, 2), Phase(2, 128, 1))
        return replace(config, phases=small, warmup_steps=2, checkpoint_every=3, validate_every=6, held_out=2)
    return config


@torch.no_grad()
def validate(model: TransformCodec, images: Float[Tensor, "n 3 s s"]) -> dict[str, float]:
    """Mean PSNR and bits per pixel of held-out images, with rounded symbols, at some qualities."""
    model.eval()
    row: dict[str, float] = {}
    area = images.shape[2] * images.shape[3]
    for t in VALIDATED:
        psnr, bpp = 0.0, 0.0
        for target in torch.split(images, 4):
            coded = model(target, torch.full((len(target),), t, device=target.device))
            error = (coded.painted.clamp(0, 1) - target).square().mean(dim=(1, 2, 3))
            psnr += float((-10 * torch.log10(error.clamp_min(1e-10))).sum())
            bpp += float(coded.latent_bits.sum() + coded.hyper_bits.sum()) / area
        row |= {f"psnr_{t}": psnr / len(images), f"bpp_{t}": bpp / len(images)}
    model.train()
    return row


def export_weights(model: TransformCodec, steps: int, path: Path) -> None:
    """Write the codec's weights file: transforms in 8 and 16 bits, float32 gains, and the prior in integers."""
    tensors: dict[str, Tensor] = {}
    for part, module in (("analysis.", model.analysis), ("synthesis.", model.synthesis)):
        for name, value in module.state_dict().items():
            tensors |= stored(part + name, value)
    for name, value in model.prior.analysis.state_dict().items():
        tensors |= half("hyper_analysis." + name, value)
    for name, value in model.gains.state_dict().items():
        tensors[f"gains.{name}"] = value.cpu().contiguous()
    for name, array in export_hyperprior(model.prior).items():
        tensors[f"integer.{name}"] = torch.from_numpy(array.copy(order="C"))
    facts = {"format": FORMAT, "steps": steps}
    write_weights(path, tensors, facts)


def make_optimiser(model: TransformCodec, config: CodecTrainingConfig, place: Hardware) -> torch.optim.AdamW:
    """AdamW; the transforms' linear parts learn slower."""
    linear = [p for n, p in model.named_parameters() if n.endswith("linear.weight") and "prior" not in n]
    chosen = {id(p) for p in linear}
    rest = [p for p in model.parameters() if id(p) not in chosen]
    groups = [{"params": rest, "share": 1.0}, {"params": linear, "share": config.linear_rate}]
    fused = place.device.type == "cuda"
    return torch.optim.AdamW(groups, lr=config.learning_rate, weight_decay=0.0, fused=fused)


def train_codec(
    config_path: Path | None,
    data: Sequence[Path],
    out: Path,
    *,
    begin: Path | None = None,
    smoke: bool = False,
    threads: int | None = None,
    report: Report | None = None,
) -> Path:
    """Train, or resume training, the transform codec; returns the weights file.

    Args:
        config_path: TOML configuration; None for the shipped one.
        data: folders or .tar files of training images.
        out: run folder; holds the checkpoint, `log.csv`, `curves.png`, the cache of images and the weights.
        begin: weights file to start from where there is no checkpoint; None for the block DCT.
        smoke: a few steps on tiny crops, for tests.
        threads: CPU threads; None leaves torch's choice.

    Raises:
        InputError: the configuration or the data cannot be used.
        WeightsError: the weights to start from or the checkpoint cannot be used.
    """
    config = load_config(config_path, smoke=smoke)
    if threads is not None:
        torch.set_num_threads(threads)
    out.mkdir(parents=True, exist_ok=True)
    with hardware() as place:
        images = place.first(lambda: ImageSet.open(data, out / "images", short_side=512))
        training, held_out = images.split(config.held_out)
        sampler = Sampler(images, training, config)
        crop, rng = config.phases[0].crop, np.random.default_rng(config.seed)
        large = [i for i in held_out if min(images.shape(i)) >= crop] or training[:1]
        validation = in_unit_range(stacked([random_crop(rng, images[i], crop, 1.0) for i in large])).to(place.device)

        torch.manual_seed(config.seed)
        model = TransformCodec()
        if begin is not None:
            start_from(model, begin)
        earlier = steps_behind(begin)
        model = place.place(model)
        spread = place.spread(model)
        optimiser = make_optimiser(model, config, place)
        average = Ema(model, config.ema)
        parts: dict[str, Stateful] = {"model": model, "optimiser": optimiser, "average": average}
        start = load_checkpoint(out / "checkpoint.pt", parts)
        log = CsvLog(out / "log.csv", start) if place.leads else None
        weights = out / "codec_embedded.safetensors"

        def make(step: int) -> Tensor:
            phase = phase_at(config.phases, step)
            return sampler.batch([config.seed, 1, step], phase, place.share(phase.batch))

        learn = Replay(partial(gradients, config, spread, place), tuple(model.parameters()), place)
        for step, images_of_step in enumerate(batches(make, start, config.steps, place), start):
            row = train_step(config, learn, optimiser, images_of_step, step, place)
            average.update(model)
            done = step + 1
            if log is None:
                continue
            if done % config.validate_every == 0 or done == config.steps:
                with average.applied(model):
                    row |= validate(model, validation)
            log.write(done, row)
            if done % config.checkpoint_every == 0 or done == config.steps:
                save_checkpoint(out / "checkpoint.pt", done, parts)
                rates = [f"{name}_{t}" for name in ("psnr", "bpp") for t in VALIDATED]
                draw_curves(log.rows, ("loss", "train_bpp"), rates).savefig(out / "curves.png")
                with average.applied(model):
                    export_weights(model, earlier + done, weights)
            if report is not None:
                report(done, config.steps, row["loss"])
    return weights


def start_from(model: TransformCodec, path: Path) -> None:
    """Give a model the weights of an exported file.

    Raises:
        WeightsError: the file cannot be used.
    """
    known = TransformModel(path)
    model.analysis.load_state_dict(known.analysis.state_dict())
    model.gains.load_state_dict(known.gains.state_dict())
    model.prior.load_state_dict(known.prior.state_dict())
    model.synthesis.load_state_dict(known.synthesis("mse").state_dict())


def gradients(
    config: CodecTrainingConfig,
    model: TransformCodec,
    place: Hardware,
    images: UInt8[Tensor, "n s s 3"],
    t: Float[Tensor, " n"],
) -> tuple[Tensor, ...]:
    """Leave the gradients of a batch in the model's parameters.

    Returns:
        Loss, squared error, bits per pixel, and those of them that the hyper-latents take.
    """
    target = in_unit_range(images)
    with place.mixed_precision():
        coded = model(target, t)
    weight, pixels = error_weight(t), target.shape[2] * target.shape[3]
    error = (coded.painted - target).square().mean(dim=(1, 2, 3)) * 255**2
    bpp = (coded.latent_bits.sum(dim=1) + coded.hyper_bits) / pixels
    loss = ((bpp + weight * error) / weight**config.balance).mean()
    torch.autograd.backward(loss)
    return loss.detach(), error.detach().mean(), bpp.detach().mean(), coded.hyper_bits.detach().mean() / pixels


def train_step(  # noqa: PLR0917 - the loop's whole state
    config: CodecTrainingConfig,
    learn: Replay,
    optimiser: torch.optim.Optimizer,
    images: UInt8[Tensor, "n s s 3"],
    step: int,
    place: Hardware,
) -> dict[str, Any]:
    """One optimiser step; returns what is logged."""
    rng = np.random.default_rng([config.seed, 2, step, place.rank])
    torch.manual_seed(int(rng.integers(0, 2**31)))
    t = torch.from_numpy(rng.uniform(0, 1, len(images)).astype(np.float32)).to(place.device)
    rate = cosine(step, config.steps, config.warmup_steps, config.learning_rate, config.final_learning_rate)
    for group in optimiser.param_groups:
        group["lr"] = rate * group["share"]
    figures = learn(images, t)
    norm = nn.utils.clip_grad_norm_(learn.parameters, config.gradient_clip)
    if bool(torch.isfinite(norm)):
        optimiser.step()
    names = ("loss", "mse", "train_bpp", "hyper_bpp", "gradient_norm")
    return dict(zip(names, torch.stack([*figures, norm]).tolist(), strict=True)) | {"learning_rate": rate}
