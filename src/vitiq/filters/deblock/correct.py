"""The correction of one JPEG file: networks, projection into the quantisation intervals, and a check of the pixels.

The true coefficients lie within half a step of the file's. So do the corrected ones (projection onto the quantisation
constraint set, Zakhor 1992, DOI 10.1109/76.134377); but rounding to 8 bits and clipping to 0 … 255 move them a little,
over the end of an interval now and then. Where encoding again would give another coefficient, that coefficient is moved
back by what it is over, a few times (projections onto convex sets).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from vitiq.filters.deblock.coefficients import Coefficients
from vitiq.filters.deblock.network import HALF, Corrector, PlaneCorrector, corrected, guide_of
from vitiq.filters.deblock.render import Plane, analyse, as_samples, planes_of, render

ROUNDS = 5
"""Times that coefficients are moved back, at most."""

COARSE = 1.5
"""How many times further the coefficients of planes that are interpolated are moved back."""

STRIP = 64
"""Rows of blocks that are corrected at once: memory then does not grow with the image's height."""

HALO = 12
"""Rows of blocks above and below a strip that reach into it: what the networks see, rounded up."""


@torch.inference_mode()
def restore(coefficients: Coefficients, model: Corrector, *, project: bool = True) -> UInt8[np.ndarray, "h w c"]:
    """The corrected image, grey or RGB, not turned.

    Args:
        coefficients: of the file.
        model: the networks.
        project: into the quantisation intervals.
    """
    planes = planes_of(coefficients)
    offsets = predict(coefficients, planes, model)
    if not project:
        return as_samples(render(coefficients, planes, offsets))
    offsets = [offset.clamp_(-HALF, HALF) for offset in offsets]
    return as_samples(settled(coefficients, planes, offsets))


def predict(coefficients: Coefficients, planes: Sequence[Plane], model: Corrector) -> list[Float[Tensor, "64 _ _"]]:
    """Offsets of all components in steps, not yet within ±½."""
    if coefficients.space != "ycc":
        return [_by_strips(model.luma, [plane])[0] for plane in planes]
    luma = _by_strips(model.luma, planes[:1])
    found = corrected(planes[0].quantised[None, None], luma[0][None, None], planes[0].table[None, None])
    first, second = planes[1:]
    if first.quantised.shape != second.quantised.shape:
        return [luma[0], *(torch.zeros_like(plane.quantised) for plane in planes[1:])]
    height, width = (8 * side for side in first.quantised.shape[1:])
    return luma + _by_strips(model.chroma, [first, second], guide_of(found, height, width))


def _by_strips(
    model: PlaneCorrector, planes: Sequence[Plane], guide: Float[Tensor, "1 1 h w"] | None = None
) -> list[Float[Tensor, "64 _ _"]]:
    """Offsets of planes of one size, a strip after the other, each with what it sees above and below.

    Where the networks are elsewhere, strips go there and offsets come back: all else is the CPU's.
    """
    device = model.phase.device
    quantised = torch.stack([plane.quantised for plane in planes])[None]
    tables = torch.stack([plane.table for plane in planes])[None].to(device)
    rows, found = quantised.shape[3], []
    for top in range(0, rows, STRIP):
        bottom = min(rows, top + STRIP)
        above, below = max(0, top - HALO), min(rows, bottom + HALO)
        part = None if guide is None else guide[:, :, 8 * above : 8 * below].to(device)
        offsets = model(quantised[:, :, :, above:below].to(device), tables, part)
        found.append(offsets[0, :, :, top - above : bottom - above].cpu())
    return list(torch.cat(found, dim=2))


def settled(
    coefficients: Coefficients, planes: Sequence[Plane], offsets: list[Float[Tensor, "64 _ _"]]
) -> UInt8[Tensor, "c h w"]:
    """The image whose coefficients, coded again, are the file's, as far as `ROUNDS` of moving back reach."""
    pixels = render(coefficients, planes, offsets)
    for _ in range(ROUNDS):
        over = [
            _beyond(found - plane.quantised, plane)
            for found, plane in zip(analyse(coefficients, planes, pixels), planes, strict=True)
        ]
        if not any(bool(item.any()) for item in over):
            break
        offsets = [(offset - item).clamp(-HALF, HALF) for offset, item in zip(offsets, over, strict=True)]
        pixels = render(coefficients, planes, offsets)
    return pixels


def _beyond(offset: Float[Tensor, "64 _ _"], plane: Plane) -> Float[Tensor, "64 _ _"]:
    """How far offsets lie beyond their interval and a little within it, in steps; 0 where they lie inside."""
    # Encoders compute with whole numbers: very near the end of an interval they may round the other way.
    limit = HALF - torch.clamp(0.05 + 0.3 / plane.steps, max=0.45)
    outside = offset.abs() > HALF - torch.clamp(0.02 + 0.05 / plane.steps, max=0.2)
    over = torch.where(outside, offset - torch.clamp(offset, -limit, limit), torch.zeros_like(offset))
    # Interpolated and averaged again, the finest waves of chroma are weakened: what moves them back is so, too.
    return over if plane.down == plane.across == 1 else COARSE * over
