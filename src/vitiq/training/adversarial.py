"""What adversarial trainings share: a critic that learns by the hinge loss, and errors that a synthesis may not lose.

A synthesis is trained on against a patch discriminator with the hinge loss (Lim & Ye 2017, arXiv 1705.02894), in the
way of HiFiC (Mentzer et al. 2020, arXiv 2006.09965), while squared error, squared error masked by texture and features
of a ViT hold it to its image.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from vitiq.models.backbones import Backbone
from vitiq.training.discriminator import PatchDiscriminator
from vitiq.training.hardware import Hardware


def hinge(real: Float[Tensor, "*n"], fake: Float[Tensor, "*n"]) -> Float[Tensor, ""]:
    """The critic's loss: 0 where every real verdict is above 1 and every other below -1."""
    return F.relu(1 - real).mean() + F.relu(1 + fake).mean()


class Critic:
    """A patch discriminator and its optimiser.

    Attributes:
        network, optimiser: what a checkpoint holds.
    """

    def __init__(self, rate: float, place: Hardware) -> None:
        self.network, self._place = place.place(PatchDiscriminator()), place
        self._spread = place.spread(self.network)
        self.optimiser = torch.optim.Adam(self.network.parameters(), lr=rate, betas=(0.5, 0.9))

    def learn(
        self, real: Float[Tensor, "n 3 s s"], fake: Float[Tensor, "n 3 s s"], condition: Float[Tensor, "n 3 s s"]
    ) -> float:
        """One step towards telling `real` from `fake`, both given `condition`; returns its loss."""
        with self._place.mixed_precision():
            both = torch.cat([real, fake.detach().float()])
            verdicts = self._spread(both, torch.cat([condition, condition])).float()
        loss = hinge(*verdicts.chunk(2))
        self.optimiser.zero_grad(set_to_none=True)
        torch.autograd.backward(loss)
        self.optimiser.step()
        return float(loss.detach())

    def objection(self, fake: Float[Tensor, "n 3 s s"], condition: Float[Tensor, "n 3 s s"]) -> Float[Tensor, ""]:
        """What a synthesis minimises to pass for real; its gradient reaches `fake`, not the critic."""
        self.network.requires_grad_(False)
        with self._place.mixed_precision():
            verdict: Tensor = self.network(fake, condition)
        self.network.requires_grad_(True)
        return -verdict.float().mean()


def visibility(target: Float[Tensor, "n 3 s s"]) -> Float[Tensor, "n 1 s s"]:
    """How plainly an error would be seen at each pixel: near 1 on flat ground, less where texture masks it."""
    luma = target.mean(dim=1, keepdim=True)
    mean, square = (F.avg_pool2d(F.pad(x, (4,) * 4, mode="reflect"), 9, stride=1) for x in (luma, luma.square()))
    just_seen = (6 / 127.5) ** 2
    return just_seen / (just_seen + (square - mean.square()).clamp_min(0))


def relative_errors(
    painted: Float[Tensor, "n 3 s s"], plain: Float[Tensor, "n 3 s s"], target: Float[Tensor, "n 3 s s"]
) -> tuple[Float[Tensor, ""], Float[Tensor, ""]]:
    """Squared error and masked error of `painted`, both relative to those of `plain`."""
    seen, floor = visibility(target), 1e-5
    error, own = ((x - target).square() for x in (painted, plain))
    plainly, masked = (
        ((error * w).mean(dim=(1, 2, 3)) + floor) / ((own * w).mean(dim=(1, 2, 3)) + floor)
        for w in (torch.ones_like(seen), seen / seen.mean(dim=(1, 2, 3), keepdim=True))
    )
    return plainly.mean(), masked.mean()


def feature_distance(
    judge: Backbone, painted: Float[Tensor, "n 3 s s"], target: Float[Tensor, "n 3 s s"]
) -> Float[Tensor, ""]:
    """1 - cosine of a ViT's features, over all levels and tokens."""
    with torch.no_grad():
        wanted = judge.levels_tensor(target)
    return 1 - F.cosine_similarity(judge.levels_tensor(painted).float(), wanted.float(), dim=-1).mean()
