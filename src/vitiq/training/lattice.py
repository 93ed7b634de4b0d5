"""How strongly a reconstruction shows the lattice of the strides that it was made at: a loss against woven patterns.

A synthesis that ends in blocks of 4×4 or 16×16 pixels repeats small errors from block to block. Their power lies at the
frequencies k / 16 cycles a pixel, where an image of its own has no more than beside them. Transposed convolutions and
sub-pixel layers are known for it (Odena et al. 2016, DOI 10.23915/distill.00003); a term on the spectrum was used
against it by Durall et al. 2020 (DOI 10.1109/CVPR42600.2020.00791). This one looks at blocks, so that a pattern on one
wall is not lost among the other textures of its image.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

SIDE = 64
"""Of a block in pixels."""

HARMONICS = tuple(k / 16 for k in range(2, 9))
"""Cycles a pixel. With a quarter alone, the pattern of 4 pixels went and others, of 16 / 3 and 16 / 5, came."""

NEAR, APART = 0.012, (0.02, 0.043)
"""Frequencies within NEAR of a harmonic are the pattern's; those APART from it its neighbours."""

ROUNDING = 4.0
"""Power, on the scale of 0-255, of an image that is flat but for rounding to 8 bits: nothing below it is seen."""

LUMA = (0.2126, 0.7152, 0.0722)


def excess(reconstruction: Float[Tensor, "n 3 s s"], target: Float[Tensor, "n 3 s s"]) -> Float[Tensor, ""]:
    """Mean square of how far, in nepers, power at the lattice's frequencies lies above that beside them, where
    it does so more than in the target.

    Args:
        reconstruction: in [0, 1], of at least 64×64 pixels; with a gradient.
        target: the images.
    """
    with torch.no_grad():
        usual = contrast(target).clamp_min(0)
    return (contrast(reconstruction) - usual).clamp_min(0).square().mean()


def contrast(images: Float[Tensor, "n 3 h w"]) -> Float[Tensor, "harmonics 2 n i j"]:
    """Logarithm of the power at each harmonic over that of its neighbours, along both axes of each 64×64 block."""
    weights = torch.tensor(LUMA, device=images.device)[:, None, None]
    luma = (255 * images.float() * weights).sum(dim=1)
    blocks = luma.unfold(1, SIDE, SIDE // 2).unfold(2, SIDE, SIDE // 2)
    window = torch.hann_window(SIDE - 1, periodic=False, device=images.device)
    distance = torch.fft.rfftfreq(SIDE - 1, device=images.device)
    found = []
    for axis in (3, 4):
        # Differences along the axis flatten the spectrum of photographs; the window keeps edges from leaking.
        lines = blocks.diff(dim=axis).movedim(axis, 4) * window
        power = torch.fft.rfft(lines, dim=4).abs().square().mean(dim=3) + ROUNDING
        for harmonic in HARMONICS:
            apart = (distance - harmonic).abs()
            beside = (apart >= APART[0]) & (apart <= APART[1])
            found.append(power[..., apart <= NEAR].mean(dim=-1).log() - power[..., beside].mean(dim=-1).log())
    both = torch.stack(found)
    return both.reshape(2, len(HARMONICS), *both.shape[1:]).transpose(0, 1)
