"""What adversarial trainings share: the discriminator's step, the generator's loss, and errors to hold a synthesis to.

A synthesis is trained further against a patch discriminator with the hinge loss (Lim & Ye 2017, arXiv 1705.02894), in
the way of HiFiC (Mentzer et al. 2020, arXiv 2006.09965), while squared error, squared error masked by texture and
features of a ViT hold it to its image.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from vitiq.models.backbones import Backbone
from vitiq.training.discriminator import PatchDiscriminator
from vitiq.training.engine import Row, descend
from vitiq.training.hardware import Hardware


def hinge(real: Float[Tensor, "*n"], fake: Float[Tensor, "*n"]) -> Float[Tensor, ""]:
    """The discriminator's loss: 0 where every real verdict is above 1 and every other below -1."""
    return F.relu(1 - real).mean() + F.relu(1 + fake).mean()


class Discriminator:
    """A patch discriminator and its optimiser.

    Attributes:
        network, optimiser: what a checkpoint holds.
    """

    def __init__(self, rate: float, hardware: Hardware) -> None:
        self.network, self._hardware = hardware.to_device(PatchDiscriminator()), hardware
        self._parallel = hardware.data_parallel(self.network)
        self.optimiser = torch.optim.Adam(self.network.parameters(), lr=rate, betas=(0.5, 0.9))

    def parts(self) -> dict[str, Any]:
        """What a checkpoint holds."""
        return {"discriminator": self.network, "discriminator_optimiser": self.optimiser}

    def step(
        self, real: Float[Tensor, "n 3 s s"], fake: Float[Tensor, "n 3 s s"], condition: Float[Tensor, "n 3 s s"]
    ) -> float:
        """One step towards telling `real` from `fake`, both given `condition`; returns its loss."""
        with self._hardware.mixed_precision():
            both = torch.cat([real, fake.detach().float()])
            verdicts = self._parallel(both, torch.cat([condition, condition])).float()
        loss = hinge(*verdicts.chunk(2))
        self.optimiser.zero_grad(set_to_none=True)
        torch.autograd.backward(loss)
        self.optimiser.step()
        return float(loss.detach())

    def generator_loss(self, fake: Float[Tensor, "n 3 s s"], condition: Float[Tensor, "n 3 s s"]) -> Float[Tensor, ""]:
        """What a synthesis minimises to pass for real; its gradient reaches `fake`, not the discriminator."""
        self.network.requires_grad_(False)
        with self._hardware.mixed_precision():
            verdict: Tensor = self.network(fake, condition)
        self.network.requires_grad_(True)
        return -verdict.float().mean()


class LossWeights(Protocol):
    """What `AdversarialStep` reads of a configuration: weights of the parts of the loss."""

    @property
    def squared_error(self) -> float: ...  # noqa: D102
    @property
    def masked_error(self) -> float: ...  # noqa: D102
    @property
    def features(self) -> float: ...  # noqa: D102
    @property
    def adversarial(self) -> float: ...  # noqa: D102


@dataclass(frozen=True, slots=True, kw_only=True)
class AdversarialStep:
    """A step of a synthesis that is held to its image and has to pass for it.

    Attributes:
        discriminator: whose verdict counts; it stays as it is.
        backbone: its features are kept.
        optimiser: of the parameters.
        parameters: what learns.
        weights: of the parts of the loss.
        clip: largest norm of the gradient.
        hardware: device and processes.
        average: whether gradients of several processes are averaged here.
    """

    discriminator: Discriminator
    backbone: Backbone
    optimiser: torch.optim.Optimizer
    parameters: Sequence[nn.Parameter]
    weights: LossWeights
    clip: float
    hardware: Hardware
    average: bool

    def __call__(
        self,
        reconstruction: Float[Tensor, "n 3 s s"],
        plain: Float[Tensor, "n 3 s s"],
        target: Float[Tensor, "n 3 s s"],
        extra: Float[Tensor, ""] | None = None,
    ) -> Row:
        """One step; returns its losses.

        Args:
            reconstruction: with a gradient.
            plain: what errors are relative to, and the discriminator's condition.
            target: the images.
            extra: one more part of the loss, weighted already.
        """
        weights = self.weights
        with self.hardware.mixed_precision():
            error, masked = relative_errors(reconstruction, plain, target)
            unlike = feature_distance(self.backbone, reconstruction, target)
        verdict = self.discriminator.generator_loss(reconstruction, plain)
        loss = weights.squared_error * error + weights.masked_error * masked
        loss = loss + weights.features * unlike + weights.adversarial * verdict
        if extra is not None:
            loss = loss + extra
        over = self.hardware if self.average else None
        norm = descend(loss, self.optimiser, self.parameters, self.clip, average_over=over)
        parts = {"loss": loss, "error": error, "masked": masked, "features": unlike, "generator_loss": verdict}
        return {name: float(value.detach()) for name, value in parts.items()} | {"gradient_norm": norm}


def visibility(target: Float[Tensor, "n 3 s s"]) -> Float[Tensor, "n 1 s s"]:
    """How plainly an error would be seen at each pixel: near 1 on flat ground, less where texture masks it."""
    luma = target.mean(dim=1, keepdim=True)
    mean, square = (F.avg_pool2d(F.pad(x, (4,) * 4, mode="reflect"), 9, stride=1) for x in (luma, luma.square()))
    just_seen = (6 / 127.5) ** 2
    return just_seen / (just_seen + (square - mean.square()).clamp_min(0))


def relative_errors(
    reconstruction: Float[Tensor, "n 3 s s"], plain: Float[Tensor, "n 3 s s"], target: Float[Tensor, "n 3 s s"]
) -> tuple[Float[Tensor, ""], Float[Tensor, ""]]:
    """Squared error and masked error of a reconstruction, both relative to those of `plain`."""
    seen, floor = visibility(target), 1e-5
    error, own = ((x - target).square() for x in (reconstruction, plain))
    plainly, masked = (
        ((error * w).mean(dim=(1, 2, 3)) + floor) / ((own * w).mean(dim=(1, 2, 3)) + floor)
        for w in (torch.ones_like(seen), seen / seen.mean(dim=(1, 2, 3), keepdim=True))
    )
    return plainly.mean(), masked.mean()


def feature_distance(
    backbone: Backbone, reconstruction: Float[Tensor, "n 3 s s"], target: Float[Tensor, "n 3 s s"]
) -> Float[Tensor, ""]:
    """1 - cosine of a ViT's features, over all levels and tokens."""
    with torch.no_grad():
        wanted = backbone.levels_tensor(target)
    return 1 - F.cosine_similarity(backbone.levels_tensor(reconstruction).float(), wanted.float(), dim=-1).mean()
