"""Fréchet distance of the patches of images as a torch loss, with running statistics in a search.

As in Mathiasen & Hvilshøj 2020, "Backpropagating through Fréchet Inception Distance" (arXiv 2009.14075), no covariance
is formed: with X the centred samples over √(n - 1), the trace of the root is the sum of the singular values of Xa Xbᵀ,
a matrix of samples × samples. The distance of a few patches is biased upwards, which a search does not mind.
"""

from __future__ import annotations

from abc import abstractmethod
from collections import deque
from collections.abc import Callable
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from vitiq.metrics.backbone_loss import BackboneLoss
from vitiq.metrics.loss import DistanceLoss, Each, Given, Images
from vitiq.metrics.sets import inception, vit
from vitiq.models.inception_reader import InceptionReader, fid_reader

DRAWN = 8
"""Patches that are read an iteration of a search."""

REMEMBERED = 15
"""Iterations whose patches stay in the running statistics, beside those of the present one."""

Corner = tuple[int, int]


def frechet(a: Float[Tensor, "n d"], b: Float[Tensor, "m d"]) -> Float[Tensor, ""]:
    """|μa - μb|² + tr(Σa + Σb - 2 (Σa Σb)^½) of two sets of samples, two or more each; differentiable."""
    means = a.mean(dim=0), b.mean(dim=0)
    x, y = ((s - mean) / (len(s) - 1) ** 0.5 for s, mean in zip((a, b), means, strict=True))
    root = torch.linalg.svdvals(x @ y.T).sum()
    found: Tensor = (means[0] - means[1]).square().sum() + x.square().sum() + y.square().sum() - 2 * root
    return found


class PatchFrechetLoss(DistanceLoss):
    """Fréchet distance of the patches of an image; a mean over images.

    Attributes:
        patch, stride: pixels; of images in which fewer than two fit along a side, smaller.
    """

    patch: ClassVar[int]
    stride: ClassVar[int]
    smallest = 2

    def _compare(self, distorted: Images, reference: Images) -> Each:
        with torch.no_grad():
            wanted = [self._all(image[None]) for image in reference]
        found = [self._all(image[None]) for image in distorted]
        return torch.stack([frechet(a, b) for a, b in zip(wanted, found, strict=True)])

    def against(self, reference: Given) -> Callable[[Given], Float[Tensor, ""]]:
        """The loss for a search: with gradients, of a few random patches within running statistics; else of all."""
        self.check(reference, reference)
        with torch.no_grad():
            wanted = self._all(reference)
        noise = torch.Generator().manual_seed(0)
        seen: deque[Float[Tensor, "k d"]] = deque(maxlen=REMEMBERED)

        def value(distorted: Given) -> Float[Tensor, ""]:
            self.check(distorted, reference)
            if not torch.is_grad_enabled():
                return frechet(wanted, self._all(distorted))
            side, _ = self._plan(*distorted.shape[2:])
            height, width = distorted.shape[2:]
            corners = [
                (
                    int(torch.randint(height - side + 1, (), generator=noise)),
                    int(torch.randint(width - side + 1, (), generator=noise)),
                )
                for _ in range(DRAWN)
            ]
            now = self.features(_patches(distorted, corners, side))
            rows = [*seen, now]
            # As if every patch in the statistics had been read now: the few stand for all.
            share = sum(map(len, rows)) / len(now)
            rows[-1] = share * now + (1 - share) * now.detach()
            seen.append(now.detach())
            return frechet(wanted, torch.cat(rows))

        return value

    @abstractmethod
    def features(self, patches: Images) -> Float[Tensor, "n d"]:
        """What the network makes of patches."""

    def _all(self, images: Images) -> Float[Tensor, "m d"]:
        height, width = images.shape[2:]
        side, stride = self._plan(height, width)
        tops, lefts = (range(0, length - side + 1, stride) for length in (height, width))
        return self.features(_patches(images, [(top, left) for top in tops for left in lefts], side))

    def _plan(self, height: int, width: int) -> tuple[int, int]:
        """Side and stride with at least two patches along each side of an image."""
        short = min(height, width)
        if short >= self.patch + self.stride:
            return self.patch, self.stride
        side = max(1, 2 * short // 3)
        return side, max(1, min(short - side, side // 2))


def _patches(images: Images, corners: list[Corner], side: int) -> Float[Tensor, "m 3 side side"]:
    return torch.cat([images[:, :, top : top + side, left : left + side] for top, left in corners])


class PatchFidVitLoss(BackboneLoss, PatchFrechetLoss):
    """Of the class tokens of a ViT, the patches of `patch-fid-vit`.

    Args:
        backbone: None for the embedded ViT.
    """

    metric = "patch-fid-vit"
    patch, stride = vit.PATCH, vit.STRIDE

    def features(self, patches: Images) -> Float[Tensor, "n d"]:
        """Class tokens after the last norm."""
        return self.backbone.tokens_tensor(patches)[:, 0]


class PatchFidLoss(PatchFrechetLoss):
    """Of InceptionV3's features with the FID weights, of patches of 256×256.

    Args:
        reader: None for the fetched weights.

    Raises:
        WeightsError: they are not found.
    """

    metric = "patch-fid"
    patch, stride = inception.PATCH, inception.PATCH // 2

    def __init__(self, reader: InceptionReader | None = None) -> None:
        super().__init__()
        self.reader = reader if reader is not None else fid_reader()

    def features(self, patches: Images) -> Float[Tensor, "n 2048"]:
        """Features of patches resized to 299×299."""
        return self.reader.features_tensor(patches)
