"""Training of the embedded generator (`vitiq train generator`).

Rate-distortion training of the layered synthesis together with its encoder and its prior: minimise
bits per pixel + λ · 255² · MSE with additive uniform noise for the quantiser (Ballé et al. 2017, arXiv
1611.01704), λ drawn anew for each image so that one network serves all rates. In a share of the steps layer 0
is used alone, which trains the published single 512-number latent. Then the finest scales learn against a
discriminator (`generator_adversarial.py`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Self

import msgspec
import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from vitiq.codecs.inversion.generators.layered import STRIDES
from vitiq.models.backbones import load_backbone
from vitiq.training.checkpoint import Ema, Stateful
from vitiq.training.config import Finite, Phase, PhasedConfig, Positive, Share, check_order, cosine
from vitiq.training.crops import Sampler, in_unit_range, phase_at, stacked, zoomed_crop, zoomed_crops
from vitiq.training.data import ImageSet
from vitiq.training.engine import Inputs, Recipe, Row, descend
from vitiq.training.generator_adversarial import AdversarialConfig, AdversarialPhase
from vitiq.training.hardware import Hardware
from vitiq.training.layered_autoencoder import LayeredAutoencoder, export_weights, start_from
from vitiq.types import ImageU8
from vitiq.weights.file import steps_behind


class GeneratorTrainingConfig(PhasedConfig, frozen=True, kw_only=True):
    """Settings of `configs/generator.toml`, in the same words; its `phases` are those of rate-distortion training."""

    name = "generator"
    crop_multiple = STRIDES[0]
    lambda_low: Positive
    lambda_high: Positive
    lambda_reference: Positive
    step_exponent: Finite
    vector_share: Share
    vector_step: Positive
    sharp_share: Share
    adversarial: AdversarialConfig

    def __post_init__(self) -> None:
        """Refuses what does not fit together."""
        super().__post_init__()
        check_order("lambda_low", self.lambda_low, "lambda_high", self.lambda_high)

    @property
    def plain_steps(self) -> int:
        """Optimiser steps before the adversarial phase."""
        return sum(phase.steps for phase in self.phases)

    @property
    def steps(self) -> int:
        """Optimiser steps of all phases."""
        return self.plain_steps + self.adversarial.steps

    @property
    def all_phases(self) -> tuple[Phase, ...]:
        """Every phase, the adversarial one last."""
        return (*self.phases, self.adversarial.phase)

    @property
    def crop_sizes(self) -> frozenset[int]:
        """Sides of crops of every phase, in pixels."""
        return frozenset(phase.crop for phase in self.all_phases)

    def rate(self, step: int) -> float:
        """Learning rate of 0-based `step` before the adversarial phase."""
        return cosine(step, self.plain_steps, self.warmup_steps, self.learning_rate, self.final_learning_rate)

    def small(self) -> Self:
        """Few steps on few small images."""
        adversarial = msgspec.structs.replace(self.adversarial, steps=4, crop=64, batch=1, discriminator_alone=1)
        steps = {"warmup_steps": 2, "checkpoint_every": 4, "validate_every": 12}
        phases = (Phase(6, 64, 2), Phase(2, 64, 1))
        return msgspec.structs.replace(self, phases=phases, adversarial=adversarial, held_out=2, **steps)


class TrainingCrops:
    """Batches of crops; those of a step come from the seed and the step.

    A share of them, and all that the discriminator sees, is at the images' own resolution or downscaled; the others
    come from all images alike, small ones enlarged.
    """

    def __init__(self, config: GeneratorTrainingConfig, images: ImageSet, indices: Sequence[int]) -> None:
        self._config, self._images, self._indices = config, images, indices
        self._sharp = Sampler(images, indices, config)

    def batch(self, step: int, hardware: Hardware) -> UInt8[Tensor, "n s s 3"]:
        """This process's part of a step's batch."""
        config = self._config
        phase = phase_at(config.all_phases, step)
        share = 1.0 if step >= config.plain_steps else config.sharp_share
        seeds = ([config.seed, 1, step, i] for i in hardware.local_indices(phase.batch))
        return stacked([self._one(np.random.default_rng(seed), phase.crop, share) for seed in seeds])

    def _one(self, rng: np.random.Generator, size: int, sharp_share: float) -> ImageU8:
        if rng.random() < sharp_share:
            return self._sharp.crop(rng, size)
        return zoomed_crop(rng, self._images[self._indices[int(rng.integers(0, len(self._indices)))]], size)


class GeneratorRecipe(Recipe[GeneratorTrainingConfig]):
    """Encoder, synthesis and prior, and the adversarial phase that follows."""

    config_class = GeneratorTrainingConfig
    weights_file = "generator_embedded.safetensors"
    losses = ("loss", "discriminator_loss")
    figures = ("psnr", "psnr_vector")

    def __init__(self, config: GeneratorTrainingConfig, inputs: Inputs, hardware: Hardware) -> None:
        backbone = load_backbone()
        super().__init__(config, inputs, hardware)
        self._earlier = {kind: steps_behind(inputs.begin, kind) for kind in ("steps", "adversarial_steps")}
        model = LayeredAutoencoder()
        if inputs.begin is not None:
            start_from(model, inputs.begin)
        self.model = self.autoencoder = hardware.to_device(model)
        self.optimiser = torch.optim.AdamW(self.autoencoder.parameters(), lr=config.learning_rate, weight_decay=1e-4)
        self.average = Ema(self.autoencoder, config.ema)
        self._second = AdversarialPhase(self.autoencoder, backbone, config.adversarial, config.gradient_clip, hardware)
        self._crops = TrainingCrops(config, self.images, self.training)
        crops = zoomed_crops(self.images, self.held_out, config.all_phases[0].crop, config.seed)
        self._validation = in_unit_range(crops.to(hardware.device))

    def parts(self) -> dict[str, Stateful]:
        """Networks, optimisers and average."""
        return super().parts() | self._second.parts()

    def batch(self, step: int) -> Tensor:
        """Crops of this process, as bytes."""
        return self._crops.batch(step, self.hardware)

    def step(self, batch: Tensor, step: int) -> Row:
        """One step of the phase that it belongs to."""
        target = in_unit_range(batch)
        if step == self.config.plain_steps:
            self.average.adopt(self.model)
            self._second.begin()
        row = self._plain(target, step) if step < self.config.plain_steps else self._adversarial(target, step)
        self.average.update(self.model)
        return row

    def _plain(self, target: Float[Tensor, "n 3 s s"], step: int) -> Row:
        config, hardware = self.config, self.hardware
        torch.manual_seed(int(np.random.default_rng([config.seed, 5, step, hardware.rank]).integers(0, 2**31)))
        vector, weight, quantiser = drawn_rates(config, step, len(target), hardware)
        rate = self.set_rate(step)
        with hardware.mixed_precision():
            found, bpp = self.autoencoder(target, quantiser, vector=vector, rounded=False)
        error = (found.float() - target).square().mean(dim=(1, 2, 3)) * 255**2
        loss = (weight * error + bpp).mean()
        # Averaged here: `data_parallel` wants every parameter used in every step.
        norm = descend(loss, self.optimiser, self.autoencoder.parameters(), config.gradient_clip, average_over=hardware)
        figures = {"loss": loss, "mse": error.mean(), "train_bpp": bpp.mean()}
        row = {name: float(value.detach()) for name, value in figures.items()}
        return row | {"vector": int(vector), "gradient_norm": norm, "learning_rate": rate}

    def _adversarial(self, target: Float[Tensor, "n 3 s s"], step: int) -> Row:
        config = self.config
        rng = np.random.default_rng([config.seed, 3, step, self.hardware.rank])
        vector, _, quantiser = drawn_rates(config, step, len(target), self.hardware)
        shift = (int(rng.integers(0, 64)), int(rng.integers(0, 64)))
        learn = step - config.plain_steps >= config.adversarial.discriminator_alone
        row = self._second.step(target, quantiser, shift, vector=vector, learn=learn)
        return row | {"vector": int(vector), "learning_rate": config.adversarial.rate}

    def validate(self, done: int) -> Row:
        """PSNR and rate of held-out images; features of them too once the adversarial phase has begun."""
        row = validate(self.autoencoder, self._validation, self.config)
        return row | (self._second.validate(self._validation) if done > self.config.plain_steps else {})

    def export(self, done: int, path: Path) -> None:
        """All networks, and the prior in integers."""
        export_weights(self.autoencoder, metadata(self.config, done, self._earlier), path)


@torch.no_grad()
def validate(model: LayeredAutoencoder, images: Float[Tensor, "n 3 s s"], config: GeneratorTrainingConfig) -> Row:
    """Mean PSNR and bits per pixel of held-out images, rounded latents, no optimisation of latents."""

    def psnr(found: Tensor, target: Tensor) -> float:
        error = (found.clamp(0, 1) - target).square().mean(dim=(1, 2, 3))
        return float((-10 * torch.log10(error.clamp_min(1e-10))).mean())

    model.eval()
    full, rate, vector = [], [], []
    for target in torch.split(images, 4):
        one = torch.ones(len(target), 1, 1, 1, device=target.device)
        found, bpp = model(target, one, vector=False, rounded=True)
        full.append(psnr(found, target) * len(target))
        rate.append(float(bpp.sum()))
        found, _ = model(target, config.vector_step * one, vector=True, rounded=True)
        vector.append(psnr(found, target) * len(target))
    model.train()
    n = len(images)
    return {"psnr": sum(full) / n, "bpp": sum(rate) / n, "psnr_vector": sum(vector) / n}


def metadata(config: GeneratorTrainingConfig, steps: int, earlier: Mapping[str, int]) -> dict[str, object]:
    """What the weights file says of its training; `earlier`: the steps behind the weights that it began from."""
    return {
        "steps": earlier["steps"] + min(steps, config.plain_steps),
        "adversarial_steps": earlier["adversarial_steps"] + max(0, steps - config.plain_steps),
        "lambda_reference": config.lambda_reference,
        "step_exponent": config.step_exponent,
        "vector_step": config.vector_step,
    }


def drawn_rates(
    config: GeneratorTrainingConfig, step: int, count: int, hardware: Hardware
) -> tuple[bool, Float[Tensor, " n"], Float[Tensor, "n 1 1 1"]]:
    """Whether layer 0 is used alone (in all processes), the weight of each image's error, its quantisation step."""
    vector = bool(np.random.default_rng([config.seed, 4, step]).random() < config.vector_share)
    rng = np.random.default_rng([config.seed, 2, step, hardware.rank])
    weight = torch.from_numpy(np.exp(rng.uniform(np.log(config.lambda_low), np.log(config.lambda_high), count)))
    quantiser = (config.lambda_reference / weight) ** config.step_exponent
    if vector:
        weight, quantiser = (torch.full_like(weight, v) for v in (config.lambda_reference, config.vector_step))
    weight, quantiser = (v.float().to(hardware.device) for v in (weight, quantiser))
    return vector, weight, quantiser.view(-1, 1, 1, 1)
