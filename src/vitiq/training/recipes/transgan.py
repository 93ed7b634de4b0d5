"""Training of a TransGAN (`vitiq train transgan`): generator against discriminator, both transformers.

Jiang et al. 2021 (arXiv 2102.07074), as the official `train_derived.py`: Adam with betas 0 and 0.99, gradients clipped
at a norm of 5, the generator once in `discriminator_steps` steps, differentiable augmentation, averaged parameters, and
the hinge loss or WGAN with a gradient penalty and a penalty of 0.001 on the square of the mean verdict ("wgangp-eps").
Not in the paper, and off at `reconstruction = 0`: half of the latents are those of the batch's images
(`models.principal_latents`), which the generator is to give back.
"""

from __future__ import annotations

from dataclasses import asdict
from itertools import pairwise
from pathlib import Path
from typing import Literal, Self

import msgspec
import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from vitiq.codecs.inversion.generators.transgan import ENCODER, FORMAT
from vitiq.errors import InputError
from vitiq.metrics.sets.kernel_distance import kernel_distance
from vitiq.models.backbones import load_backbone
from vitiq.models.principal_latents import SIDE, PrincipalLatents
from vitiq.models.transgan import GeneratorShape, Stage, TransGenerator
from vitiq.training.checkpoint import Ema, Stateful
from vitiq.training.config import Count, Dropped, NotNegative, Settings, Share, SteadyConfig
from vitiq.training.crops import in_unit_range, stacked, zoomed_crop, zoomed_crops
from vitiq.training.diff_augment import augment
from vitiq.training.engine import Inputs, Recipe, Row, descend, set_rate
from vitiq.training.hardware import Hardware
from vitiq.training.transgan_discriminator import TransDiscriminator
from vitiq.weights.file import half, write_weights


class StageConfig(Settings, frozen=True, kw_only=True):
    """A table `stages` of `configs/transgan.toml`."""

    width: Count
    depth: Count
    window: Count


class TransGanConfig(SteadyConfig, frozen=True, kw_only=True):
    """Settings of `configs/transgan.toml`, in the same words."""

    name = "transgan"
    title = "TransGAN"
    discriminator_steps: Count
    loss: Literal["hinge", "wgangp-eps"]
    label_smoothing: Share
    dropout: Dropped
    gradient_penalty: NotNegative
    reconstruction: NotNegative
    latent: Count
    bottom: Count
    heads: Count
    stages: tuple[StageConfig, ...]
    patch: Count
    discriminator_width: Count
    discriminator_depth: Count
    discriminator_scales: Count

    def __post_init__(self) -> None:
        """Refuses what does not fit together."""
        sides = [self.bottom * 2**i for i in range(len(self.stages))]
        if not self.stages or any(side % min(s.window, side) for side, s in zip(sides, self.stages, strict=True)):
            raise ValueError("stages: at least one, and windows that fill grids of sides " + str(sides))
        if any(b.width not in {a.width, a.width / 4} for a, b in pairwise(self.stages)):
            raise ValueError("stages: each width is that of the stage before, or a quarter of it")
        if any(stage.width % self.heads for stage in self.stages) or self.discriminator_width % (4 * self.heads):
            raise ValueError(
                f"heads = {self.heads}, widths {[s.width for s in self.stages]} and discriminator_width = "
                f"{self.discriminator_width} given: widths that are multiples of heads expected, the last of 4 · heads"
            )
        if sides[-1] % (self.patch * 2 ** (self.discriminator_scales - 1)):
            raise ValueError(f"patch: {sides[-1]} pixels are no multiple of the coarsest scale's patches")
        if self.label_smoothing and self.loss != "hinge":
            raise ValueError('label_smoothing: WGAN has no labels; use loss = "hinge", or 0')
        most = 3 * min(SIDE, sides[-1]) ** 2
        if self.reconstruction and self.latent > most:
            raise ValueError(f"latent: with reconstruction, at most {most} numbers of an image of {sides[-1]} pixels")

    @property
    def shape(self) -> GeneratorShape:
        """The generator's."""
        sides = (self.bottom * 2**i for i in range(len(self.stages)))
        grids = zip(sides, self.stages, strict=True)
        stages = tuple(Stage(s.width, s.depth, side, min(s.window, side)) for side, s in grids)
        return GeneratorShape(self.latent, stages, self.heads)

    @property
    def short_side(self) -> int:
        """A quarter more than the generator's side, for crops of most of an image."""
        return self.shape.resolution * 5 // 4

    def rate(self, step: int) -> float:
        """Learning rate of 0-based `step`, on a straight way from the first to the last."""
        return self.learning_rate + (self.final_learning_rate - self.learning_rate) * step / self.steps

    def small(self) -> Self:
        """Few steps of a small network on few images."""
        steps = {
            "steps": 4,
            "batch": 2,
            "discriminator_steps": 2,
            "checkpoint_every": 2,
            "validate_every": 4,
            "held_out": 2,
        }
        stages = (StageConfig(width=32, depth=1, window=4), StageConfig(width=32, depth=1, window=4))
        network = {"latent": 8, "bottom": 4, "stages": stages, "patch": 2, "discriminator_width": 32, "heads": 2}
        return msgspec.structs.replace(self, discriminator_depth=1, discriminator_scales=2, **steps, **network)


def fitted_on(config: TransGanConfig) -> int:
    """Batches whose principal components are taken: 32 images to each number of a latent."""
    return -(-32 * config.latent // config.batch)


def discriminator_of(config: TransGanConfig) -> TransDiscriminator:
    """The discriminator of a configuration, untrained."""
    return TransDiscriminator(
        config.shape.resolution,
        config.patch,
        config.discriminator_width,
        config.discriminator_depth,
        scales=config.discriminator_scales,
        heads=config.heads,
        dropout=config.dropout,
    )


class TransGanRecipe(Recipe[TransGanConfig]):
    """Both networks and what they learn from."""

    config_class = TransGanConfig
    weights_file = "transgan.safetensors"
    losses = ("discriminator_loss", "squared_error")
    figures = ("kid_vit",)

    def __init__(self, config: TransGanConfig, inputs: Inputs, hardware: Hardware) -> None:
        if hardware.world > 1:
            raise InputError("TransGAN trains in one process; start it without torchrun")
        self.backbone = load_backbone().to(hardware.device)
        super().__init__(config, inputs, hardware)
        self.model = self.generator = TransGenerator(config.shape).to(hardware.device)
        side = config.shape.resolution
        self.discriminator = discriminator_of(config).to(hardware.device)
        rate = config.learning_rate
        self.optimiser = torch.optim.Adam(self.generator.parameters(), lr=rate, betas=(0.0, 0.99))
        self._discriminator_optimiser = torch.optim.Adam(self.discriminator.parameters(), lr=rate, betas=(0.0, 0.99))
        self.average = Ema(self.generator, config.ema)
        self.principal = PrincipalLatents(side, config.latent)
        if config.reconstruction:
            self.principal.fit(2 * in_unit_range(self.batch(step)) - 1 for step in range(fitted_on(config)))
        self.principal.to(hardware.device)
        self._real = in_unit_range(zoomed_crops(self.images, self.held_out, side, config.seed))

    def parts(self) -> dict[str, Stateful]:
        """Networks, optimisers and average."""
        parts = super().parts() | {"discriminator": self.discriminator, "principal": self.principal}
        return parts | {"discriminator_optimiser": self._discriminator_optimiser}

    def batch(self, step: int) -> Tensor:
        """Crops of most of an image, as bytes."""
        rng = np.random.default_rng([self.config.seed, 1, step])
        drawn = rng.integers(0, len(self.training), self.config.batch)
        side = self.config.shape.resolution
        return stacked([zoomed_crop(rng, self.images[self.training[int(i)]], side) for i in drawn])

    def step(self, batch: Tensor, step: int) -> Row:
        """One step of the discriminator, and of the generator where it is its turn."""
        config = self.config
        torch.manual_seed(int(np.random.default_rng([config.seed, 2, step]).integers(0, 2**31)))
        rate = self.set_rate(step)
        set_rate(self._discriminator_optimiser, rate)
        real = 2 * in_unit_range(batch) - 1
        with torch.no_grad():
            fake = self.generator(self._mixed(real, len(real)))
        verdicts = (self.discriminator(augment(x)) for x in (real, fake))
        loss = self._discriminator_loss(*verdicts)
        if config.loss == "wgangp-eps":
            loss = loss + config.gradient_penalty * gradient_penalty(self.discriminator, real, fake)
        descend(loss, self._discriminator_optimiser, self.discriminator.parameters(), config.gradient_clip)
        row = {"discriminator_loss": float(loss.detach()), "learning_rate": rate}
        if (step + 1) % config.discriminator_steps:
            return row
        return row | self._generator_step(real)

    def _generator_step(self, real: Float[Tensor, "n 3 r r"]) -> Row:
        config = self.config
        made = self.generator(self._mixed(real, 2 * len(real)))
        wanted = -self.discriminator(augment(made)).mean()
        row = {"loss": float(wanted.detach())}
        if config.reconstruction:
            error = F.mse_loss(made[len(real) :], real)
            row["squared_error"] = float(error.detach())
            wanted = wanted + config.reconstruction * error
        row["gradient_norm"] = descend(wanted, self.optimiser, self.generator.parameters(), config.gradient_clip)
        self.average.update(self.generator)
        return row

    def _latents(self, count: int) -> Float[Tensor, "n latent"]:
        # Drawn on the CPU: the same on every device.
        return torch.randn(count, self.config.latent).to(self.hardware.device)

    def _mixed(self, real: Float[Tensor, "n 3 r r"], count: int) -> Float[Tensor, "m latent"]:
        """Drawn latents; the second half are the images' own where the generator is to give them back."""
        if not self.config.reconstruction:
            return self._latents(count)
        return torch.cat([self._latents(count - count // 2), self.principal(real[: count // 2])])

    def _discriminator_loss(self, real: Float[Tensor, " n"], fake: Float[Tensor, " n"]) -> Tensor:
        if self.config.loss == "hinge":
            # One-sided label smoothing (Salimans et al. 2016, arXiv 1606.03498): less than 1 is enough.
            return F.relu(1 - self.config.label_smoothing - real).mean() + F.relu(1 + fake).mean()
        return fake.mean() - real.mean() + 1e-3 * real.mean().square()

    @torch.no_grad()
    def validate(self, done: int) -> Row:  # noqa: ARG002
        """KID of as many samples as there are held-out images, as the embedded ViT reads both."""
        if len(self._real) < 2:
            return {}
        self.generator.eval()
        drawn = torch.Generator().manual_seed(self.config.seed)
        z = torch.randn(len(self._real), self.config.latent, generator=drawn)
        made = torch.cat([self.generator(part.to(self.hardware.device)).cpu() for part in torch.split(z, 64)])
        self.generator.train()
        samples = ((made.clamp(-1, 1) + 1) / 2, self._real)
        bytes_of = (
            [np.ascontiguousarray(x.permute(1, 2, 0).numpy() * 255).round().astype(np.uint8) for x in s]
            for s in samples
        )
        features = [
            np.concatenate([self.backbone.features(x[i : i + 32]) for i in range(0, len(x), 32)]) for x in bytes_of
        ]
        return {"kid_vit": kernel_distance(*features)}

    def export(self, done: int, path: Path) -> None:
        """The averaged generator in half precision, and what predicts latents where it learned from them."""
        state = dict(self.generator.state_dict())
        if self.config.reconstruction:
            state |= {ENCODER + name: value for name, value in self.principal.state_dict().items()}
        tensors = {k: v for name, value in state.items() for k, v in half(name, value).items()}
        about = {"format": FORMAT, "steps": done, "shape": asdict(self.config.shape), "loss": self.config.loss}
        write_weights(path, tensors, about)


def gradient_penalty(
    discriminator: TransDiscriminator, real: Float[Tensor, "n 3 r r"], fake: Float[Tensor, "n 3 r r"]
) -> Float[Tensor, ""]:
    """Mean of (|gradient| - 1)² between real and made images (Gulrajani et al. 2017, arXiv 1704.00028)."""
    share = torch.rand(len(real), 1, 1, 1).to(real.device)
    between = (share * real + (1 - share) * fake).detach().requires_grad_()
    verdicts = discriminator(augment(between))
    (gradient,) = torch.autograd.grad(verdicts.sum(), between, create_graph=True)
    penalty: Tensor = (torch.linalg.vector_norm(gradient.flatten(1), dim=1) - 1).square().mean()
    return penalty
