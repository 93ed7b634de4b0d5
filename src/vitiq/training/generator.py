"""Training of the embedded generator (`vitiq train generator`).

Rate-distortion training of the layered synthesis together with its encoder and its prior: minimise
bits per pixel + λ · 255² · MSE with additive uniform noise for the quantiser (Ballé et al. 2017, arXiv
1611.01704), λ drawn anew for each image so that one network serves all rates. In a share of the steps layer 0
is used alone, which trains the published single 512-number latent. Then the finest scales learn on against a critic
(`generator_adversarial.py`).

Everything random in a step comes from (seed, step), so a resumed run continues the same sequence.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn

from vitiq.models.backbones import load_backbone
from vitiq.training.config import read_config
from vitiq.training.crops import Phase, Sampler, in_unit_range, phase_at, stacked, zoomed_crop
from vitiq.training.curves import draw_curves
from vitiq.training.data import ImageSet
from vitiq.training.generator_adversarial import AdversarialConfig, AdversarialPhase
from vitiq.training.hardware import Hardware, batches, hardware
from vitiq.training.layered_autoencoder import LayeredAutoencoder, export_weights, start_from
from vitiq.training.loop import CsvLog, Ema, Stateful, cosine, load_checkpoint, save_checkpoint
from vitiq.types import ImageU8
from vitiq.weights.file import steps_behind

Report = Callable[[int, int, float], None]
"""Called after each step with (steps done, steps in all, loss)."""


@dataclass(frozen=True, slots=True)
class GeneratorTrainingConfig:
    """Settings of `configs/generator.toml`, in the same words."""

    seed: int
    learning_rate: float
    final_learning_rate: float
    warmup_steps: int
    gradient_clip: float
    ema: float
    lambda_low: float
    lambda_high: float
    lambda_reference: float
    step_exponent: float
    vector_share: float
    vector_step: float
    sharp_share: float
    largest_shrink: float
    graphic_share: float
    checkpoint_every: int
    validate_every: int
    held_out: int
    rate_distortion: tuple[Phase, ...]
    adversarial: AdversarialConfig

    @property
    def plain_steps(self) -> int:
        """Optimiser steps before the adversarial phase."""
        return sum(phase.steps for phase in self.rate_distortion)

    @property
    def phases(self) -> tuple[Phase, ...]:
        """Every phase, the adversarial one last."""
        return (*self.rate_distortion, self.adversarial.phase)


def load_config(path: Path | None = None, *, smoke: bool = False) -> GeneratorTrainingConfig:
    """Read a configuration file (default: the shipped one).

    Raises:
        InputError: the file cannot be read or has unknown or missing keys.
    """

    def build(values: dict[str, Any]) -> GeneratorTrainingConfig:
        phases = tuple(Phase(**phase) for phase in values.pop("phases"))
        adversarial = AdversarialConfig(**values.pop("adversarial"))
        return GeneratorTrainingConfig(**values, rate_distortion=phases, adversarial=adversarial)

    config = read_config(path, "generator", build)
    if smoke:
        adversarial = replace(config.adversarial, steps=4, crop=64, batch=1, critic_alone=1)
        small = replace(config, rate_distortion=(Phase(6, 64, 2), Phase(2, 64, 1)), adversarial=adversarial)
        return replace(small, warmup_steps=2, checkpoint_every=4, validate_every=12, held_out=2)
    return config


class TrainingCrops:
    """Batches of crops; those of a step come from the seed and the step.

    A share of them, and all that the critic sees, is at the images' own resolution or shrunk; the others come from
    all images alike, small ones enlarged.
    """

    def __init__(self, config: GeneratorTrainingConfig, images: ImageSet, indices: Sequence[int]) -> None:
        self._config, self._images, self._indices = config, images, indices
        self._sharp = Sampler(images, indices, config)

    def batch(self, step: int, place: Hardware) -> UInt8[Tensor, "n s s 3"]:
        """This process's part of a step's batch."""
        config = self._config
        phase = phase_at(config.phases, step)
        share = 1.0 if step >= config.plain_steps else config.sharp_share
        seeds = ([config.seed, 1, step, i] for i in place.share(phase.batch))
        return stacked([self._one(np.random.default_rng(seed), phase.crop, share) for seed in seeds])

    def _one(self, rng: np.random.Generator, size: int, sharp_share: float) -> ImageU8:
        if rng.random() < sharp_share:
            return self._sharp.crop(rng, size)
        return zoomed_crop(rng, self._images[self._indices[int(rng.integers(0, len(self._indices)))]], size)


@torch.no_grad()
def validate(
    model: LayeredAutoencoder, images: Float[Tensor, "n 3 s s"], config: GeneratorTrainingConfig
) -> dict[str, float]:
    """Mean PSNR and bits per pixel of held-out images, rounded latents, no optimisation of latents."""

    def psnr(painted: Tensor, target: Tensor) -> float:
        error = (painted.clamp(0, 1) - target).square().mean(dim=(1, 2, 3))
        return float((-10 * torch.log10(error.clamp_min(1e-10))).mean())

    model.eval()
    full, rate, vector = [], [], []
    for target in torch.split(images, 4):
        one = torch.ones(len(target), 1, 1, 1, device=target.device)
        painted, bpp = model(target, one, vector=False, rounded=True)
        full.append(psnr(painted, target) * len(target))
        rate.append(float(bpp.sum()))
        painted, _ = model(target, config.vector_step * one, vector=True, rounded=True)
        vector.append(psnr(painted, target) * len(target))
    model.train()
    n = len(images)
    return {"psnr": sum(full) / n, "bpp": sum(rate) / n, "psnr_vector": sum(vector) / n}


def train_generator(
    config_path: Path | None,
    data: Sequence[Path],
    out: Path,
    *,
    begin: Path | None = None,
    smoke: bool = False,
    threads: int | None = None,
    report: Report | None = None,
) -> Path:
    """Train, or resume training, the embedded generator; returns the weights file.

    Args:
        config_path: TOML configuration; None for the shipped one.
        data: folders or .tar files of training images.
        out: run folder; holds the checkpoint, `log.csv`, `curves.png`, the cache of images and the weights.
        begin: weights file to start from where there is no checkpoint; None for nothing.
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
        crop = config.phases[0].crop
        fixed = [zoomed_crop(np.random.default_rng([config.seed, i]), images[i], crop) for i in held_out]
        validation = in_unit_range(stacked(fixed).to(place.device))

        judge = load_backbone()
        torch.manual_seed(config.seed)
        model = LayeredAutoencoder()
        if begin is not None:
            start_from(model, begin)
        earlier = {kind: steps_behind(begin, kind) for kind in ("steps", "adversarial_steps")}
        model = place.place(model)
        optimiser = torch.optim.AdamW(model.parameters(), lr=config.learning_rate, weight_decay=1e-4)
        average = Ema(model, config.ema)
        second = AdversarialPhase(model, judge, config.adversarial, config.gradient_clip, place)
        parts: dict[str, Stateful] = {"model": model, "optimiser": optimiser, "average": average, **second.parts()}
        start = load_checkpoint(out / "checkpoint.pt", parts)
        log = CsvLog(out / "log.csv", start) if place.leads else None
        weights = out / "generator_embedded.safetensors"

        crops = TrainingCrops(config, images, training)

        def make(step: int) -> Tensor:
            return crops.batch(step, place)

        steps = config.plain_steps + config.adversarial.steps
        for step, batch in enumerate(batches(make, start, steps, place), start):
            target = in_unit_range(batch)
            if step == config.plain_steps:
                average.adopt(model)
                second.begin()
            row = (
                train_step(config, model, optimiser, target, step, place)
                if step < config.plain_steps
                else adversarial_step(config, second, target, step, place)
            )
            average.update(model)
            done = step + 1
            if log is None:
                continue
            if done % config.validate_every == 0 or done == steps:
                with average.applied(model):
                    row |= validate(model, validation, config)
                    row |= second.validate(validation) if step >= config.plain_steps else {}
            log.write(done, row)
            if done % config.checkpoint_every == 0 or done == steps:
                save_checkpoint(out / "checkpoint.pt", done, parts)
                draw_curves(log.rows, ("loss", "critic_loss"), ("psnr", "psnr_vector")).savefig(out / "curves.png")
                with average.applied(model):
                    export_weights(model, facts(config, done, earlier), weights)
            if report is not None:
                report(done, steps, row.get("loss", float("nan")))
    return weights


def facts(config: GeneratorTrainingConfig, steps: int, earlier: Mapping[str, int]) -> dict[str, object]:
    """What the weights file tells of its training; `earlier`: the steps behind the weights that it began from."""
    return {
        "steps": earlier["steps"] + min(steps, config.plain_steps),
        "adversarial_steps": earlier["adversarial_steps"] + max(0, steps - config.plain_steps),
        "lambda_reference": config.lambda_reference,
        "step_exponent": config.step_exponent,
        "vector_step": config.vector_step,
    }


def drawn_rates(
    config: GeneratorTrainingConfig, step: int, count: int, place: Hardware
) -> tuple[bool, Float[Tensor, " n"], Float[Tensor, "n 1 1 1"]]:
    """Whether layer 0 is used alone (in all processes), the weight of each image's error, its quantisation step."""
    vector = bool(np.random.default_rng([config.seed, 4, step]).random() < config.vector_share)
    rng = np.random.default_rng([config.seed, 2, step, place.rank])
    weight = torch.from_numpy(np.exp(rng.uniform(np.log(config.lambda_low), np.log(config.lambda_high), count)))
    quantiser = (config.lambda_reference / weight) ** config.step_exponent
    if vector:
        weight, quantiser = (torch.full_like(weight, v) for v in (config.lambda_reference, config.vector_step))
    weight, quantiser = (v.float().to(place.device) for v in (weight, quantiser))
    return vector, weight, quantiser.view(-1, 1, 1, 1)


def adversarial_step(
    config: GeneratorTrainingConfig,
    phase: AdversarialPhase,
    target: Float[Tensor, "n 3 s s"],
    step: int,
    place: Hardware,
) -> dict[str, Any]:
    """One step of the adversarial phase; returns what is logged."""
    rng = np.random.default_rng([config.seed, 3, step, place.rank])
    vector, _, quantiser = drawn_rates(config, step, len(target), place)
    shift = (int(rng.integers(0, 64)), int(rng.integers(0, 64)))
    learn = step - config.plain_steps >= config.adversarial.critic_alone
    row = phase.step(target, quantiser, shift, vector=vector, learn=learn)
    return row | {"vector": int(vector), "learning_rate": config.adversarial.rate}


def train_step(  # noqa: PLR0917 - the loop's whole state
    config: GeneratorTrainingConfig,
    model: LayeredAutoencoder,
    optimiser: torch.optim.Optimizer,
    target: Float[Tensor, "n 3 s s"],
    step: int,
    place: Hardware,
) -> dict[str, Any]:
    """One optimiser step; returns what is logged."""
    torch.manual_seed(int(np.random.default_rng([config.seed, 5, step, place.rank]).integers(0, 2**31)))
    vector, weight, quantiser = drawn_rates(config, step, len(target), place)
    rate = cosine(step, config.plain_steps, config.warmup_steps, config.learning_rate, config.final_learning_rate)
    for group in optimiser.param_groups:
        group["lr"] = rate
    with place.mixed_precision():
        painted, bpp = model(target, quantiser, vector=vector, rounded=False)
    error = (painted.float() - target).square().mean(dim=(1, 2, 3)) * 255**2
    loss = (weight * error + bpp).mean()
    optimiser.zero_grad(set_to_none=True)
    torch.autograd.backward(loss)
    # Not by `place.spread`, which wants every parameter used in every step.
    place.average_gradients(model.parameters())
    norm = nn.utils.clip_grad_norm_(model.parameters(), config.gradient_clip)
    if bool(torch.isfinite(norm)):
        optimiser.step()
    return {
        "loss": float(loss.detach()),
        "mse": float(error.detach().mean()),
        "train_bpp": float(bpp.detach().mean()),
        "vector": int(vector),
        "gradient_norm": float(norm),
        "learning_rate": rate,
    }
