"""Adversarial phase of the embedded generator's training: the finest scales learn to look like an image.

A patch discriminator with the hinge loss judges what the synthesis paints, in the way of HiFiC (Mentzer et al. 2020,
arXiv 2006.09965), while squared error, the same masked by texture, and features of the embedded ViT hold it to its
image (`adversarial.py`). Only layers behind the finest latents learn: what the encoder gives, the prior, and so the
bits of a set of latents, stay what rate-distortion training made them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from vitiq.codecs.inversion.generators.layered import Synthesis
from vitiq.models.backbones import Backbone
from vitiq.training.adversarial import Critic, feature_distance, relative_errors
from vitiq.training.crops import Phase
from vitiq.training.hardware import Hardware
from vitiq.training.layered_autoencoder import LayeredAutoencoder

PAINTERS = ("ups.2.", "detail.", "ups.3.", "to_rgb.")
"""Parts of the synthesis that learn, at strides 8 and 4."""


@dataclass(frozen=True, slots=True)
class AdversarialConfig:
    """Settings of the table `adversarial` of `configs/generator.toml`, in the same words."""

    steps: int
    crop: int
    batch: int
    rate: float
    critic_rate: float
    critic_alone: int
    squared_error: float
    masked_error: float
    features: float
    adversarial: float

    @property
    def phase(self) -> Phase:
        """What is drawn in a step."""
        return Phase(self.steps, self.crop, self.batch)


class AdversarialPhase:
    """The critic, the optimiser of the finest scales, and the synthesis as it was before, which is the condition.

    Args:
        model: in training.
        judge: its features are kept.
        config: the errors in it are relative to those of the synthesis as it was.
        clip: of the gradient's norm.
    """

    def __init__(
        self,
        model: LayeredAutoencoder,
        judge: Backbone,
        config: AdversarialConfig,
        clip: float,
        place: Hardware,
    ) -> None:
        self._model, self._judge, self._config = model, judge.to(place.device), config
        self._clip, self._place = clip, place
        self._learns = [p for n, p in model.synthesis.named_parameters() if n.startswith(PAINTERS)]
        self.before = place.place(Synthesis()).requires_grad_(False)
        self.painter = torch.optim.Adam(self._learns, lr=config.rate, betas=(0.5, 0.9))
        self.critic = Critic(config.critic_rate, place)

    def parts(self) -> dict[str, Any]:
        """Everything that a checkpoint holds."""
        critic = {"discriminator": self.critic.network, "critic": self.critic.optimiser}
        return {"before": self.before, "painter": self.painter} | critic

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
    ) -> dict[str, float]:
        """One step of both sides, whose judges see images rolled by `shift` pixels; returns what is logged.

        Args:
            quantiser: steps of the latents.
            vector: layer 0 alone.
            learn: False while the critic alone learns.
        """
        with self._place.mixed_precision():
            with torch.no_grad():
                latents, _ = self._model.code(target, quantiser, vector=vector, rounded=True)
                plain = self.before(latents).float()
            painted = self._model.synthesis(latents)
            # Judges have grids of their own; where they always met that of the latents, patterns grew on it.
            painted, plain, target = (torch.roll(x, shift, dims=(2, 3)) for x in (painted, plain, target))
        row = {"critic_loss": self.critic.learn(target, painted, plain)}
        if not learn:
            return row
        with self._place.mixed_precision():
            error, masked = relative_errors(painted.float(), plain, target)
            unlike = feature_distance(self._judge, painted.float(), target)
        verdict = self.critic.objection(painted.float(), plain)
        config = self._config
        loss = config.squared_error * error + config.masked_error * masked
        loss = loss + config.features * unlike + config.adversarial * verdict
        self.painter.zero_grad(set_to_none=True)
        torch.autograd.backward(loss, inputs=self._learns)
        self._place.average_gradients(self._learns)
        norm = nn.utils.clip_grad_norm_(self._learns, self._clip)
        if bool(torch.isfinite(norm)):
            self.painter.step()
        logged = {"loss": loss, "error": error, "masked": masked, "features": unlike, "verdict": verdict}
        return row | {name: float(value.detach()) for name, value in logged.items()}

    @torch.no_grad()
    def validate(self, images: Float[Tensor, "n 3 s s"]) -> dict[str, float]:
        """1 - cosine of features of held-out images, painted now and as before."""
        step = torch.ones(len(images), 1, 1, 1, device=images.device)
        latents, painted = self._model.code(images, step, vector=False, rounded=True)
        both = (painted, self.before(latents))
        now, before = (float(feature_distance(self._judge, x.clamp(0, 1), images)) for x in both)
        return {"held_out_features": now, "features_before": before}
