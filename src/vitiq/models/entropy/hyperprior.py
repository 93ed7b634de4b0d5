"""Prior of the generative codec's latents, in floating point (training and refinement).

A hyperprior (Ballé et al. 2018, arXiv 1802.01436) tells roughly what is where; groups of channels, the most telling
first, then read the groups before them (Minnen & Singh 2020, DOI 10.1109/ICIP40778.2020.9190935; uneven sizes: He
et al. 2022, DOI 10.1109/CVPR52688.2022.00563), and within a group the second half of a checkerboard reads the first
(He et al. 2021, DOI 10.1109/CVPR46437.2021.01453). Each symbol is a discretised logistic. All that a decoder
evaluates is additions, multiplications, ReLU and clipping, so that coding can use the integer twin,
`integer_hyperprior.py`.
"""

from __future__ import annotations

import math
from typing import cast

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from vitiq.models.entropy.prior import LOG_SCALE_MAX, LOG_SCALE_MIN, logistic_bits
from vitiq.models.transforms.block_dct import CHANNELS
from vitiq.models.transforms.residual_dct import zero

GROUPS = (4, 12, 16, 32, 64, 128)
"""Latent channels of each group."""

HYPER_CHANNELS = 64
HYPER_STRIDE = 4
"""Stride of hyper-latents in latents."""

HYPER_WIDTH, HYPER_FEATURES, HIDDEN = 64, 96, 128
CLIP = 16.0
"""Symbols are clipped to ±CLIP before a network reads them."""

LINEAR_CLIP = 512.0
"""As CLIP, for the linear prediction of a mean from its four neighbours."""

FIRST_LOG_SCALE = 1.0
"""Log-scale that the first group starts from; finer groups start lower."""

HYPER_CLIP = 255.0
ACTIVATION_CLIP = 4096.0
"""Features are clipped to 0 … ACTIVATION_CLIP, which bounds the integer twin's sums."""

if sum(GROUPS) != CHANNELS:
    raise ValueError(f"groups {GROUPS} given, a sum of {CHANNELS} expected")


def rectify(x: Tensor) -> Tensor:
    """ReLU with an upper bound."""
    return x.clamp(0, ACTIVATION_CLIP)


def anchors(height: int, width: int) -> Float[Tensor, "1 1 h w"]:
    """1 on the half of the checkerboard that is coded first."""
    i, j = torch.arange(height)[:, None], torch.arange(width)[None]
    return ((i + j) % 2 == 0).float()[None, None]


def signs_and_sizes(symbols: Float[Tensor, "n c h w"]) -> Float[Tensor, "n 2c h w"]:
    """Clipped symbols and their absolute values."""
    clipped = symbols.clamp(-CLIP, CLIP)
    return torch.cat([clipped, clipped.abs()], dim=1)


class HyperAnalysis(nn.Module):
    """Scaled latents -> hyper-latents, before rounding; only the encoder runs it."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(2 * CHANNELS, 160, 1)
        self.second = nn.Conv2d(160, 128, 3, stride=2, padding=1)
        self.third = nn.Conv2d(128, HYPER_CHANNELS, 3, stride=2, padding=1)

    def forward(self, scaled: Float[Tensor, "n c h w"]) -> Float[Tensor, "n z h/4 w/4"]:
        """Hyper-latents, in symbols."""
        x = F.leaky_relu(self.first(torch.cat([scaled, scaled.abs()], dim=1) / 4), 0.1)
        x = F.leaky_relu(self.second(x), 0.1)
        hyper: Tensor = 8 * self.third(x).float()
        return hyper


class HyperSynthesis(nn.Module):
    """Hyper-latents -> features at the latents' resolution."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(HYPER_CHANNELS, 4 * HYPER_WIDTH, 3, padding=1)
        self.second = nn.Conv2d(HYPER_WIDTH, 4 * HYPER_FEATURES, 3, padding=1)
        self.quality = nn.Linear(3, HYPER_WIDTH, bias=False)
        zero(self.quality)

    def forward(self, hyper: Float[Tensor, "n z i j"], quality: Float[Tensor, "n 3"]) -> Float[Tensor, "n f 4i 4j"]:
        """Features, not negative."""
        x = F.pixel_shuffle(self.first(hyper.clamp(-HYPER_CLIP, HYPER_CLIP)), 2)
        x = rectify(x + self.quality(quality)[:, :, None, None])
        return rectify(F.pixel_shuffle(self.second(x), 2))


class GroupPrior(nn.Module):
    """Mean and log-scale of one group's symbols.

    Args:
        before: channels of all groups before this one.
        size: channels of this group.
    """

    def __init__(self, before: int, size: int) -> None:
        super().__init__()
        self.hyper = nn.Conv2d(HYPER_FEATURES, HIDDEN, 1)
        self.before = nn.Conv2d(2 * before, HIDDEN, 3, padding=1, bias=False) if before else None
        self.near = nn.Conv2d(2 * size, HIDDEN, 3, padding=1, bias=False)
        self.linear = nn.Conv2d(size, size, 3, padding=1, bias=False, groups=size)
        self.second_pass = nn.Parameter(torch.zeros(HIDDEN))
        self.quality = nn.Linear(3, HIDDEN, bias=False)
        self.hidden = nn.Conv2d(HIDDEN, HIDDEN, 1)
        self.out = nn.Conv2d(HIDDEN, 2 * size, 1)
        zero(self.out, self.linear, self.quality)
        if self.out.bias is not None:
            self.out.bias.data[size:] = FIRST_LOG_SCALE - 0.4 * math.log2(1 + before / 4)
        cross = torch.tensor([[0.0, 1.0, 0.0], [1.0, 0.0, 1.0], [0.0, 1.0, 0.0]])
        self.cross: Tensor
        self.register_buffer("cross", cross, persistent=False)

    def shared(
        self, hyper: Float[Tensor, "n f h w"], before: Float[Tensor, "n b h w"], quality: Float[Tensor, "n 3"]
    ) -> Float[Tensor, "n k h w"]:
        """The part of the first activation that both halves of the checkerboard use."""
        x: Tensor = self.hyper(hyper) + self.quality(quality)[:, :, None, None]
        return x if self.before is None else x + self.before(signs_and_sizes(before))

    def predict(
        self, shared: Float[Tensor, "n k h w"], known: Float[Tensor, "n c h w"] | None
    ) -> tuple[Float[Tensor, "n c h w"], Float[Tensor, "n c h w"]]:
        """Mean and log-scale in symbols.

        Args:
            known: this group's symbols with zeros where they are not coded yet; None for the first half.
        """
        x = shared
        if known is not None:
            near = F.conv2d(signs_and_sizes(known), self.near.weight * self.cross, padding=1)
            x = x + near + self.second_pass[:, None, None]
        mean, log_scale = self.out(rectify(self.hidden(rectify(x)))).chunk(2, dim=1)
        if known is not None:
            wide = known.clamp(-LINEAR_CLIP, LINEAR_CLIP)
            mean = mean + F.conv2d(wide, self.linear.weight * self.cross, padding=1, groups=known.shape[1])
        return mean, log_scale.clamp(LOG_SCALE_MIN, LOG_SCALE_MAX)


class Hyperprior(nn.Module):
    """Priors of hyper-latents and of all groups of latents."""

    def __init__(self) -> None:
        super().__init__()
        self.analysis = HyperAnalysis()
        self.hyper_mean = nn.Linear(3, HYPER_CHANNELS, bias=False)
        self.hyper_log_scale = nn.Linear(3, HYPER_CHANNELS, bias=False)
        zero(self.hyper_mean, self.hyper_log_scale)
        self.synthesis = HyperSynthesis()
        sizes = [sum(GROUPS[:k]) for k in range(len(GROUPS))]
        self.groups = nn.ModuleList(GroupPrior(b, s) for b, s in zip(sizes, GROUPS, strict=True))

    def hyper_bits(self, hyper: Float[Tensor, "n z i j"], quality: Float[Tensor, "n 3"]) -> Float[Tensor, " n"]:
        """Bits of the hyper-latents of each picture."""
        mean = self.hyper_mean(quality)[:, :, None, None]
        log_scale = self.hyper_log_scale(quality)[:, :, None, None].clamp(LOG_SCALE_MIN, LOG_SCALE_MAX)
        return logistic_bits(hyper, mean, log_scale).sum(dim=(1, 2, 3))

    def bits(
        self,
        noisy: Float[Tensor, "n c h w"],
        rounded: Float[Tensor, "n c h w"],
        hyper: Float[Tensor, "n z i j"],
        quality: Float[Tensor, "n 3"],
    ) -> Float[Tensor, "n c"]:
        """Bits of every channel of the latents of each picture.

        Args:
            noisy: symbols whose bits are counted; with noise for rounding they are differentiable.
            rounded: symbols that contexts are read from.
            hyper: rounded hyper-latents.
        """
        features = self.synthesis(hyper, quality)
        height, width = noisy.shape[2:]
        features = features[:, :, :height, :width]
        first = anchors(height, width).to(noisy.device)
        result, start = [], 0
        for module, size in zip(self.groups, GROUPS, strict=True):
            group = cast("GroupPrior", module)
            own = rounded[:, start : start + size]
            shared = group.shared(features, rounded[:, :start], quality)
            mean_1, scale_1 = group.predict(shared, None)
            mean_2, scale_2 = group.predict(shared, own * first)
            mean = torch.where(first > 0, mean_1, mean_2)
            log_scale = torch.where(first > 0, scale_1, scale_2)
            result.append(logistic_bits(noisy[:, start : start + size], mean, log_scale).sum(dim=(2, 3)))
            start += size
        return torch.cat(result, dim=1)
