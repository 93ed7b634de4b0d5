"""How strongly a reconstruction shows a pattern that repeats: a loss against grids and woven strokes.

A synthesis that ends in blocks of 4×4 or 16×16 pixels repeats small errors from block to block. Transposed convolutions
and sub-pixel layers are known for it (Odena et al. 2016, DOI 10.23915/distill.00003); a term on the spectrum was used
against it by Durall et al. 2020 (DOI 10.1109/CVPR42600.2020.00791). This one looks at blocks, so that a pattern on one
wall is not lost among the other textures of its image, and at every frequency: where only those of the strides were
looked at, a synthesis learned patterns whose sign changes from block to block, which lie between them.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

SIDE = 64
"""Of a block in pixels."""

LOWEST = 1 / 8
"""Cycles a pixel from which a line of the spectrum counts as a pattern: below it are the shapes of things."""

BESIDE = (2, 3)
"""Neighbours on either side of a frequency, in steps of 1 / 63 cycles a pixel; the window spreads a line over one step.
Lines of a grid of 16 pixels lie four steps apart."""

ROUNDING = 4.0
"""Power, on the scale of 0-255, of an image that is flat but for rounding to 8 bits: nothing below it is seen."""

LOUDER = 0.25
"""Weight of power above the target's beside that of lines."""

SPREAD = 0.3
"""Nepers by which powers of noise differ by chance, which cost nothing: they are means of 64 lines."""

LUMA = (0.2126, 0.7152, 0.0722)


def excess(reconstruction: Float[Tensor, "n 3 s s"], target: Float[Tensor, "n 3 s s"]) -> Float[Tensor, ""]:
    """How far, in nepers, lines stand out of the spectrum more than they do in the target, and how far its power
    lies above the target's; squared, the mean of all frequencies.

    Args:
        reconstruction: in [0, 1], of at least 64×64 pixels; with a gradient.
        target: the images.
    """
    found, wanted = spectrum(reconstruction), spectrum(target).detach()
    lines = (_standing_out(found) - _standing_out(wanted).clamp_min(0) - SPREAD).clamp_min(0)
    louder = (found - wanted - SPREAD)[..., max(BESIDE) :].clamp_min(0)
    return lines.square().mean() + LOUDER * louder.square().mean()


def contrast(images: Float[Tensor, "n 3 h w"]) -> Float[Tensor, "2 n i j f"]:
    """Logarithm of the power at each frequency over that of its neighbours, along both axes of each 64×64 block."""
    return _standing_out(spectrum(images))


def spectrum(images: Float[Tensor, "n 3 h w"]) -> Float[Tensor, "2 n i j f"]:
    """Logarithm of the luma's power along both axes of each 64×64 block, of frequencies from `LOWEST` on and those
    beside them."""
    weights = torch.tensor(LUMA, device=images.device)[:, None, None]
    luma = (255 * images.float() * weights).sum(dim=1)
    blocks = luma.unfold(1, SIDE, SIDE // 2).unfold(2, SIDE, SIDE // 2)
    window = torch.hann_window(SIDE - 1, periodic=False, device=images.device)
    first = round(LOWEST * (SIDE - 1)) - max(BESIDE)
    found = []
    for axis in (3, 4):
        # Differences along the axis flatten the spectrum of photographs; the window keeps edges from leaking.
        lines = blocks.diff(dim=axis).movedim(axis, 4) * window
        power = torch.fft.rfft(lines, dim=4).abs().square().mean(dim=3) + ROUNDING
        found.append(power[..., first:].log())
    return torch.stack(found)


def _standing_out(spectra: Float[Tensor, "2 n i j f"]) -> Float[Tensor, "2 n i j g"]:
    most, count = max(BESIDE), spectra.shape[4] - max(BESIDE)
    # Beyond half a cycle a pixel the spectrum is its own mirror image.
    whole = torch.cat([spectra, spectra[..., -most:].flip(-1)], dim=-1)
    beside = [whole[..., most + side * step :][..., :count] for step in BESIDE for side in (-1, 1)]
    return spectra[..., most:] - torch.stack(beside).exp().mean(dim=0).log()
