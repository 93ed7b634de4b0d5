"""Prior of the generative codec's latents, in floating point (training and refinement).

A hyperprior (Ballé et al. 2018, arXiv 1802.01436) states roughly what is where; groups of channels, the most
informative first, then read the groups before them (Minnen & Singh 2020, DOI 10.1109/ICIP40778.2020.9190935; uneven
sizes: He et al. 2022, DOI 10.1109/CVPR52688.2022.00563), and within a group the second half of a checkerboard reads the
first (He et al. 2021, DOI 10.1109/CVPR46437.2021.01453). Each symbol is a discretised logistic. All that a decoder
evaluates is additions, multiplications, ReLU and clipping, so that coding can use the integer twin,
`hyperprior_integer.py`.
"""

from __future__ import annotations

import math
from typing import cast

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from vitiq.codecs.logistic import LOG_SCALE_MAX, LOG_SCALE_MIN
from vitiq.codecs.logistic_bits import logistic_bits
from vitiq.codecs.transform.hyper_context import ACTIVATION_CLIP, HYPER_CLIP, HyperContext
from vitiq.codecs.transform.networks.block_dct import CHANNELS
from vitiq.codecs.transform.networks.residual_dct import zero

GROUPS = (4, 12, 16, 32, 64, 128)
"""Latent channels of each group."""

LEADING = GROUPS[0]
"""Channels of the first group: the block means of the three colours, and the lowest luma frequency."""

MEANS_OF_BLOCKS = 3
HYPER_CHANNELS = 32
HYPER_STRIDE = 4
"""Stride of hyper-latents in latents."""

HYPER_WIDTH, HYPER_FEATURES, HIDDEN = 64, 96, 128
CLIP = 16.0
"""Symbols are clipped to ±CLIP before a network reads them."""

LINEAR_CLIP = 512.0
"""As CLIP, for the linear prediction of a mean from its neighbours."""

FIRST_LOG_SCALE = 1.0
"""Log-scale that the first group starts from; finer groups start lower."""

HYPER_GAIN = 32.0
if sum(GROUPS) != CHANNELS:
    raise ValueError(f"groups {GROUPS} given, a sum of {CHANNELS} expected")


def rectify(x: Tensor) -> Tensor:
    """ReLU with an upper bound."""
    return x.clamp(0, ACTIVATION_CLIP)


def passes(group: int) -> tuple[int, ...]:
    """Halves or quarters of the grid in which a group is coded, as numbers of `phase`."""
    return (0, 1, 2) if group == 0 else (1, 2)


def phase(height: int, width: int, group: int, device: torch.device | None = None) -> Float[Tensor, "1 1 h w"]:
    """When each position is coded: 1 then 2 on a checkerboard; the first group's 1 is split in 0 (even rows) and 1."""
    i, j = torch.arange(height, device=device)[:, None], torch.arange(width, device=device)[None]
    when = 1 + (i + j) % 2
    if group == 0:
        when = torch.where((i % 2 == 0) & (j % 2 == 0), 0, when)
    return when[None, None].float()


def reflected(x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h+2 w+2"]:
    """One more row and column on each side, mirrored, so that what is known inside is known there."""
    for dim, pad in ((2, (0, 0, 1, 1)), (3, (1, 1, 0, 0))):
        x = F.pad(x, pad, mode="reflect" if x.shape[dim] > 1 else "replicate")
    return x


def extended(x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h+2 w+2"]:
    """One more row and column on each side, repeated: what small crops teach then holds for images of any size."""
    return F.pad(x, (1, 1, 1, 1), mode="replicate")


def signs_and_sizes(symbols: Float[Tensor, "n c h w"]) -> Float[Tensor, "n 2*c h w"]:
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

    def forward(self, scaled: Float[Tensor, "n c h w"]) -> Float[Tensor, "n z i j"]:
        """Hyper-latents in symbols; the first are means of the leading latents."""
        read = torch.cat([scaled / 16, 2 * torch.log1p(scaled.abs())], dim=1)
        x = F.leaky_relu(self.first(read), 0.1)
        x = F.leaky_relu(self.second(x), 0.1)
        means = F.avg_pool2d(scaled[:, :LEADING].float(), HYPER_STRIDE, ceil_mode=True, count_include_pad=False)
        hyper: Tensor = HYPER_GAIN * self.third(x).float()
        return hyper + F.pad(means, (0, 0, 0, 0, 0, HYPER_CHANNELS - LEADING))


class HyperSynthesis(nn.Module):
    """Hyper-latents -> features at the latents' resolution."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(HYPER_CHANNELS, 4 * HYPER_WIDTH, 3)
        self.second = nn.Conv2d(HYPER_WIDTH, 4 * HYPER_FEATURES, 3)
        self.quality = nn.Linear(3, HYPER_WIDTH, bias=False)
        self.direct = nn.Conv2d(LEADING, LEADING * HYPER_STRIDE**2, 3, bias=False)
        zero(self.quality, self.direct)
        for channel in range(LEADING):
            own = slice(channel * HYPER_STRIDE**2, (channel + 1) * HYPER_STRIDE**2)
            self.direct.weight.data[own, channel, 1, 1] = 1.0

    def leading(self, hyper: Float[Tensor, "n z i j"]) -> Float[Tensor, "n l 4*i 4*j"]:
        """The first latents as the hyper-latents alone predict them."""
        clipped = hyper[:, :LEADING].clamp(-HYPER_CLIP, HYPER_CLIP)
        hinted: Tensor = F.pixel_shuffle(self.direct(extended(clipped)), HYPER_STRIDE)
        return hinted

    def forward(self, hyper: Float[Tensor, "n z i j"], quality: Float[Tensor, "n 3"]) -> Float[Tensor, "n f 4*i 4*j"]:
        """Features, not negative."""
        x = F.pixel_shuffle(self.first(extended(hyper.clamp(-HYPER_CLIP, HYPER_CLIP))), 2)
        x = rectify(x + self.quality(quality)[:, :, None, None])
        return rectify(F.pixel_shuffle(self.second(extended(x)), 2))


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
        self.near = nn.Conv2d(2 * size, HIDDEN, 3, bias=False)
        self.linear = nn.Conv2d(size, size, 3, bias=False, groups=size)
        self.later = nn.Parameter(torch.zeros(2, HIDDEN))
        self.quality = nn.Linear(3, HIDDEN, bias=False)
        self.hidden = nn.Conv2d(HIDDEN, HIDDEN, 1)
        self.out = nn.Conv2d(HIDDEN, 2 * size, 1)
        zero(self.out, self.linear, self.quality)
        if before == 0:
            self.linear.weight.data[:MEANS_OF_BLOCKS] = 0.25
        if self.out.bias is not None:
            self.out.bias.data[size:] = FIRST_LOG_SCALE - 0.4 * math.log2(1 + before / 4)
        ring = torch.ones(3, 3)
        ring[1, 1] = 0
        self.ring: Tensor
        self.register_buffer("ring", ring, persistent=False)

    def shared(
        self, hyper: Float[Tensor, "n f h w"], before: Float[Tensor, "n b h w"], quality: Float[Tensor, "n 3"]
    ) -> Float[Tensor, "n k h w"]:
        """The part of the first activation that both halves of the checkerboard use."""
        x: Tensor = self.hyper(hyper) + self.quality(quality)[:, :, None, None]
        return x if self.before is None else x + self.before(signs_and_sizes(before))

    def predict(
        self,
        shared: Float[Tensor, "n k h w"],
        hinted: Float[Tensor, "n c h w"] | None,
        known: tuple[int, Float[Tensor, "n c h w"], Float[Tensor, "1 1 h w"]] | None,
    ) -> tuple[Float[Tensor, "n c h w"], Float[Tensor, "n c h w"]]:
        """Mean and log-scale in symbols.

        Args:
            hinted: what the hyper-latents alone predict of these symbols; None for nothing.
            known: number of the pass, this group's symbols, and 1 where they are coded already; None in the first.
        """
        x = shared
        if known is not None:
            number, symbols, coded = known
            near = F.conv2d(reflected(signs_and_sizes(symbols * coded)), self.near.weight * self.ring)
            x = x + near + self.later[number - 1][:, None, None]
        mean, log_scale = self.out(rectify(self.hidden(rectify(x)))).chunk(2, dim=1)
        if hinted is not None:
            mean = mean + hinted
        if known is not None:
            left = (symbols if hinted is None else symbols - hinted).clamp(-LINEAR_CLIP, LINEAR_CLIP) * coded
            mean = mean + F.conv2d(reflected(left), self.linear.weight * self.ring, groups=symbols.shape[1])
        return mean, log_scale.clamp(LOG_SCALE_MIN, LOG_SCALE_MAX)


class Hyperprior(nn.Module):
    """Priors of hyper-latents and of all groups of latents.

    Args:
        context: whether hyper-latents are predicted from each other (`hyper_context.py`).
    """

    def __init__(self, *, context: bool = False) -> None:
        super().__init__()
        self.context = HyperContext(HYPER_CHANNELS) if context else None
        self.analysis = HyperAnalysis()
        self.hyper_mean = nn.Linear(3, HYPER_CHANNELS, bias=False)
        self.hyper_log_scale = nn.Linear(3, HYPER_CHANNELS, bias=False)
        zero(self.hyper_mean, self.hyper_log_scale)
        self.synthesis = HyperSynthesis()
        sizes = [sum(GROUPS[:k]) for k in range(len(GROUPS))]
        self.groups = nn.ModuleList(GroupPrior(b, s) for b, s in zip(sizes, GROUPS, strict=True))

    def hyper_bits(self, hyper: Float[Tensor, "n z i j"], quality: Float[Tensor, "n 3"]) -> Float[Tensor, " n"]:
        """Bits of the hyper-latents of each image."""
        means, log_scales = self.hyper_mean(quality), self.hyper_log_scale(quality)
        mean, log_scale = means[:, :, None, None], log_scales[:, :, None, None]
        if self.context is not None:
            change, wider = self.context(hyper, means, quality)
            mean, log_scale = mean + change, log_scale + wider
        return logistic_bits(hyper, mean, log_scale.clamp(LOG_SCALE_MIN, LOG_SCALE_MAX)).sum(dim=(1, 2, 3))

    def bits(
        self,
        noisy: Float[Tensor, "n c h w"],
        rounded: Float[Tensor, "n c h w"],
        hyper: Float[Tensor, "n z i j"],
        quality: Float[Tensor, "n 3"],
    ) -> Float[Tensor, "n c"]:
        """Bits of every channel of the latents of each image.

        Args:
            noisy: symbols whose bits are counted; with noise for rounding they are differentiable.
            rounded: symbols that contexts are read from.
            hyper: rounded hyper-latents.
        """
        height, width = noisy.shape[2:]
        features = self.synthesis(hyper, quality)[:, :, :height, :width]
        leading = self.synthesis.leading(hyper)[:, :, :height, :width]
        result, start = [], 0
        for number, (module, size) in enumerate(zip(self.groups, GROUPS, strict=True)):
            group = cast("GroupPrior", module)
            own, hinted = rounded[:, start : start + size], leading if number == 0 else None
            shared = group.shared(features, rounded[:, :start], quality)
            when = phase(height, width, number, noisy.device)
            mean, log_scale = group.predict(shared, hinted, None)
            for later in passes(number)[1:]:
                coded = (when < later).float()
                next_mean, next_scale = group.predict(shared, hinted, (later, own, coded))
                mean, log_scale = (
                    torch.where(when < later, a, b) for a, b in ((mean, next_mean), (log_scale, next_scale))
                )
            result.append(logistic_bits(noisy[:, start : start + size], mean, log_scale).sum(dim=(2, 3)))
            start += size
        return torch.cat(result, dim=1)
