"""Adversarial phase of the embedded generator's training: the finest scales learn to look like an image.

Losses as in `adversarial.py`. Only layers behind the finest latents learn: what the encoder gives, the prior, and so
the bits of a set of latents, stay what rate-distortion training made them.
"""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from vitiq.codecs.inversion.generators.layered import Synthesis
from vitiq.models.backbones import Backbone
from vitiq.training.adversarial import AdversarialStep, Discriminator, feature_distance
from vitiq.training.config import Count, NotNegative, Phase, Positive, Settings, Whole
from vitiq.training.engine import Row
from vitiq.training.hardware import Hardware
from vitiq.training.layered_autoencoder import LayeredAutoencoder

FINEST = ("ups.2.", "detail.", "ups.3.", "to_rgb.")
"""Parts of the synthesis that learn, at strides 8 and 4."""


class AdversarialConfig(Settings, frozen=True, kw_only=True):
    """Settings of the table `adversarial` of `configs/generator.toml`, in the same words."""

    steps: Whole
    crop: Count
    batch: Count
    rate: Positive
    discriminator_rate: Positive
    discriminator_alone: Whole
    squared_error: NotNegative
    masked_error: NotNegative
    features: NotNegative
    adversarial: NotNegative

    @property
    def phase(self) -> Phase:
        """What is drawn in a step."""
        return Phase(self.steps, self.crop, self.batch)


class AdversarialPhase:
    """The discriminator, the optimiser of the finest scales, and, as the condition, the synthesis as it was before.

    Args:
        model: in training.
        backbone: its features are kept.
        config: the errors in it are relative to those of the synthesis as it was.
        clip: of the gradient's norm.
        hardware: device and processes.
    """

    def __init__(
        self,
        model: LayeredAutoencoder,
        backbone: Backbone,
        config: AdversarialConfig,
        clip: float,
        hardware: Hardware,
    ) -> None:
        self._model, self._backbone, self._hardware = model, backbone.to(hardware.device), hardware
        learning = [p for n, p in model.synthesis.named_parameters() if n.startswith(FINEST)]
        self.before = hardware.to_device(Synthesis()).requires_grad_(False)
        self.optimiser = torch.optim.Adam(learning, lr=config.rate, betas=(0.5, 0.9))
        self.discriminator = Discriminator(config.discriminator_rate, hardware)
        self._synthesis_step = AdversarialStep(
            discriminator=self.discriminator,
            backbone=self._backbone,
            optimiser=self.optimiser,
            parameters=learning,
            weights=config,
            clip=clip,
            hardware=hardware,
            average=True,
        )

    def parts(self) -> dict[str, Any]:
        """Everything that a checkpoint holds."""
        return {"before": self.before, "finest_optimiser": self.optimiser} | self.discriminator.parts()

    def begin(self) -> None:
        """Remember the synthesis as it is."""
        self.before.load_state_dict(self._model.synthesis.state_dict())

    def step(
        self,
        target: Float[Tensor, "n 3 s s"],
        quantiser: Float[Tensor, "n 1 1 1"],
        shift: tuple[int, int],
        *,
        vector: bool,
        learn: bool,
    ) -> Row:
        """One step of both sides, whose losses see images rolled by `shift` pixels; returns what is logged.

        Args:
            target: the images.
            quantiser: steps of the latents.
            shift: rows and columns.
            vector: layer 0 alone.
            learn: False while the discriminator alone learns.
        """
        with self._hardware.mixed_precision():
            with torch.no_grad():
                latents, _ = self._model.code(target, quantiser, vector=vector, rounded=True)
                plain = self.before(latents).float()
            found: Tensor = self._model.synthesis(latents)
            # Backbone and discriminator have grids of their own; where they always met the latents', it showed.
            found, plain, target = (torch.roll(x, shift, dims=(2, 3)) for x in (found, plain, target))
        row = {"discriminator_loss": self.discriminator.step(target, found, plain)}
        if not learn:
            return row
        return row | self._synthesis_step(found.float(), plain, target)

    @torch.no_grad()
    def validate(self, images: Float[Tensor, "n 3 s s"]) -> Row:
        """1 - cosine of features of held-out images, reconstructed now and as before."""
        step = torch.ones(len(images), 1, 1, 1, device=images.device)
        latents, found = self._model.code(images, step, vector=False, rounded=True)
        both = (found, self.before(latents))
        now, before = (float(feature_distance(self._backbone, x.clamp(0, 1), images)) for x in both)
        return {"held_out_features": now, "features_before": before}
