"""Training of the embedded generator (`vitiq train generator`).

Rate-distortion training of the layered synthesis together with its encoder and its prior: minimise
bits a pixel + λ · 255² · MSE with additive uniform noise for the quantiser (Ballé et al. 2017, arXiv
1611.01704), λ drawn anew each step so that one network serves all rates. In a share of the steps layer 0
is used alone, which trains the published single 512-number latent.

Everything random in a step comes from (seed, step), so a resumed run continues the same sequence.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from vitiq.errors import WeightsError
from vitiq.models.entropy.integer_prior import export_prior
from vitiq.models.entropy.prior import LatentPrior
from vitiq.models.generators.layered import CHANNELS, Encoder, Synthesis, encode_layers
from vitiq.models.weights_file import write_weights
from vitiq.training.config import read_config
from vitiq.training.crops import Phase, draw_graphic, phase_at, to_tensor, zoomed_crop
from vitiq.training.data import PictureSet
from vitiq.training.hardware import Hardware, batches, hardware
from vitiq.training.loop import CsvLog, Ema, Stateful, cosine, load_checkpoint, save_checkpoint

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
    graphic_share: float
    checkpoint_every: int
    validate_every: int
    held_out: int
    phases: tuple[Phase, ...]

    @property
    def steps(self) -> int:
        """Optimiser steps of all phases."""
        return sum(phase.steps for phase in self.phases)


def load_config(path: Path | None = None, *, smoke: bool = False) -> GeneratorTrainingConfig:
    """Read a configuration file (default: the shipped one).

    Raises:
        InputError: the file cannot be read or has unknown or missing keys.
    """

    def build(values: dict[str, Any]) -> GeneratorTrainingConfig:
        phases = tuple(Phase(**phase) for phase in values.pop("phases"))
        return GeneratorTrainingConfig(**values, phases=phases)

    config = read_config(path, "generator", build)
    if smoke:
        small = {name: getattr(config, name) for name in config.__dataclass_fields__}
        small |= {"phases": (Phase(6, 64, 2), Phase(2, 128, 1)), "warmup_steps": 2, "checkpoint_every": 4}
        return GeneratorTrainingConfig(**{**small, "validate_every": 8, "held_out": 2})
    return config


class LayeredAutoencoder(nn.Module):
    """Encoder, synthesis and prior, trained together; the codec uses them apart."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = Encoder()
        self.synthesis = Synthesis()
        self.prior = LatentPrior(CHANNELS)

    def forward(
        self, pictures: Float[Tensor, "n 3 s s"], step: float, *, vector: bool, rounded: bool
    ) -> tuple[Float[Tensor, "n 3 s s"], Tensor]:
        """Reconstruction and bits a pixel at a quantisation step; `rounded` for validation."""

        def quantise(layer: int, latents: Tensor) -> Tensor:
            if vector and layer > 0:
                return torch.zeros_like(latents)
            if rounded:
                return torch.round(latents / step) * step
            return latents + (torch.rand_like(latents) - 0.5) * step

        latents, painted = encode_layers(self.encoder, self.synthesis, pictures, quantise)
        n, _, height, width = pictures.shape
        log_step = torch.full((n, 1, 1, 1), math.log(step), device=pictures.device)
        coded = latents[:1] if vector else latents
        bits = self.prior.bits([layer / step for layer in coded], log_step)
        return painted, torch.stack([layer.sum() for layer in bits]).sum() / (n * height * width)


def sample_batch(
    rng: np.random.Generator, pictures: PictureSet, training: Sequence[int], phase: Phase, graphics: float
) -> Float[Tensor, "n 3 s s"]:
    """One batch of random crops and drawn graphics."""
    batch = []
    for _ in range(phase.batch):
        if rng.random() < graphics:
            batch.append(draw_graphic(rng, phase.crop))
        else:
            index = training[int(rng.integers(0, len(training)))]
            batch.append(zoomed_crop(rng, pictures[index], phase.crop))
    return to_tensor(batch)


@torch.no_grad()
def validate(
    model: LayeredAutoencoder, pictures: Float[Tensor, "n 3 s s"], config: GeneratorTrainingConfig
) -> dict[str, float]:
    """Mean PSNR and bits a pixel of held-out pictures, rounded latents, no optimisation of latents."""

    def psnr(painted: Tensor, target: Tensor) -> float:
        error = (painted.clamp(0, 1) - target).square().mean(dim=(1, 2, 3))
        return float((-10 * torch.log10(error.clamp_min(1e-10))).mean())

    model.eval()
    full, rate, vector = [], [], []
    for target in torch.split(pictures, 4):
        painted, bpp = model(target, 1.0, vector=False, rounded=True)
        full.append(psnr(painted, target) * len(target))
        rate.append(float(bpp) * len(target))
        painted, _ = model(target, config.vector_step, vector=True, rounded=True)
        vector.append(psnr(painted, target) * len(target))
    model.train()
    n = len(pictures)
    return {"psnr": sum(full) / n, "bpp": sum(rate) / n, "psnr_vector": sum(vector) / n}


def export_weights(model: LayeredAutoencoder, config: GeneratorTrainingConfig, steps: int, path: Path) -> None:
    """Write the codec's weights file: half-precision networks, float32 prior and its integer twin."""
    tensors: dict[str, Tensor] = {}
    for part, dtype in (("encoder", torch.float16), ("synthesis", torch.float16), ("prior", torch.float32)):
        for name, value in getattr(model, part).state_dict().items():
            tensors[f"{part}.{name}"] = value.cpu().to(dtype).contiguous()
    for name, array in export_prior(model.prior).items():
        tensors[f"integer_prior.{name}"] = torch.from_numpy(array.copy(order="C"))
    facts = {
        "format": "vitiq-layered-generator-1",
        "steps": steps,
        "lambda_reference": config.lambda_reference,
        "step_exponent": config.step_exponent,
        "vector_step": config.vector_step,
    }
    write_weights(path, tensors, facts)


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
        data: folders or .tar files of training pictures.
        out: run folder; holds the checkpoint, `log.csv`, the cache of pictures and the weights.
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
        pictures = place.first(lambda: PictureSet.open(data, out / "pictures", short_side=256))
        training, held_out = pictures.split(config.held_out)
        crop = config.phases[0].crop
        fixed = [zoomed_crop(np.random.default_rng([config.seed, i]), pictures[i], crop) for i in held_out]
        validation = to_tensor(fixed).to(place.device)

        torch.manual_seed(config.seed)
        model = LayeredAutoencoder()
        if begin is not None:
            start_from(model, begin)
        model = place.place(model)
        spread = place.spread(model)
        optimiser = torch.optim.AdamW(model.parameters(), lr=config.learning_rate, weight_decay=1e-4)
        average = Ema(model, config.ema)
        parts: dict[str, Stateful] = {"model": model, "optimiser": optimiser, "average": average}
        start = load_checkpoint(out / "checkpoint.pt", parts)
        log = CsvLog(out / "log.csv", start) if place.leads else None
        weights = out / "generator_embedded.safetensors"

        def make(step: int) -> Tensor:
            rng = np.random.default_rng([config.seed, 1, step])
            batch = sample_batch(rng, pictures, training, phase_at(config.phases, step), config.graphic_share)
            return batch[list(place.share(len(batch)))]

        for step, target in enumerate(batches(make, start, config.steps, place), start):
            row = train_step(config, spread, optimiser, target, step, place)
            average.update(model)
            done = step + 1
            if log is None:
                continue
            if done % config.validate_every == 0 or done == config.steps:
                with average.applied(model):
                    row |= validate(model, validation, config)
            log.write(done, row)
            if done % config.checkpoint_every == 0 or done == config.steps:
                save_checkpoint(out / "checkpoint.pt", done, parts)
                with average.applied(model):
                    export_weights(model, config, done, weights)
            if report is not None:
                report(done, config.steps, row["loss"])
    return weights


def start_from(model: LayeredAutoencoder, path: Path) -> None:
    """Give a model the weights of an exported file.

    Raises:
        WeightsError: the file cannot be used.
    """
    try:
        tensors = load_file(path)
        kept = {k: v.float() for k, v in tensors.items() if k.startswith(("encoder.", "synthesis.", "prior."))}
        model.load_state_dict(kept)
    except (OSError, RuntimeError, SafetensorError) as error:
        told = str(error).splitlines()[0]
        raise WeightsError(
            f"{path}: not weights of this model ({told}); give a file of `vitiq train generator`"
        ) from error


def train_step(  # noqa: PLR0917 - the loop's whole state
    config: GeneratorTrainingConfig,
    model: LayeredAutoencoder,
    optimiser: torch.optim.Optimizer,
    target: Float[Tensor, "n 3 s s"],
    step: int,
    place: Hardware,
) -> dict[str, Any]:
    """One optimiser step; returns what is logged."""
    rng = np.random.default_rng([config.seed, 2, step])
    torch.manual_seed(int(rng.integers(0, 2**31)) + place.rank)
    vector = bool(rng.random() < config.vector_share)
    weight = math.exp(rng.uniform(math.log(config.lambda_low), math.log(config.lambda_high)))
    quantiser = (config.lambda_reference / weight) ** config.step_exponent
    if vector:
        weight, quantiser = config.lambda_reference, config.vector_step
    for group in optimiser.param_groups:
        group["lr"] = cosine(step, config.steps, config.warmup_steps, config.learning_rate, config.final_learning_rate)
    with place.mixed_precision():
        painted, bpp = model(target, quantiser, vector=vector, rounded=False)
    error = (painted.float() - target).square().mean() * 255**2
    loss = weight * error + bpp
    optimiser.zero_grad(set_to_none=True)
    torch.autograd.backward(loss)
    norm = nn.utils.clip_grad_norm_(model.parameters(), config.gradient_clip)
    if bool(torch.isfinite(norm)):
        optimiser.step()
    return {
        "loss": float(loss.detach()),
        "mse": float(error.detach()),
        "train_bpp": float(bpp.detach()),
        "lambda": weight,
        "vector": int(vector),
        "gradient_norm": float(norm),
        "learning_rate": optimiser.param_groups[0]["lr"],
    }
