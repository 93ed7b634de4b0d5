"""From operations to hours, energy and money.

A training step costs three forward passes: one forward, two backward (Kaplan et al. 2020, section 2.1, arXiv
2001.08361).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from vitiq.cost.accelerators import Accelerator
from vitiq.errors import InputError

STEP = 3
"""Operations of a training step over those of a forward pass."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a training costs.

    Attributes:
        flops: operations of the whole training.
        device_hours: hours of one unit of the device; of all together the hours are these over their count.
        hours: wall time on all of them.
        megawatt_hours: energy, with what the building adds (`pue`).
        dollars: at the price of a unit; None where no price is known.
    """

    flops: float
    device_hours: float
    hours: float
    megawatt_hours: float
    dollars: float | None


def training_flops(forward: float, images: float, epochs: float) -> float:
    """Operations of a training on `images` × `epochs` images.

    Example:
        >>> f"{training_flops(334.8e9, 303e6, 14):.2e}"
        '4.26e+21'
    """
    return STEP * forward * images * epochs


def estimate(
    flops: float, device: Accelerator, count: int = 1, *, utilisation: float = 0.3, pue: float = 1.1
) -> Estimate:
    """Hours, energy and money of `flops` operations.

    Args:
        device: with its peak, power and price.
        count: units of it.
        utilisation: share of the peak that is reached, above 0 to 1.
        pue: power usage effectiveness of the building, from 1.

    Raises:
        InputError: a share, count or effectiveness outside its range.
    """
    if not 0 < utilisation <= 1:
        raise InputError(f"utilisation {utilisation:g} given, a share of the peak above 0 and at most 1 expected")
    if not 1 <= pue < math.inf:
        raise InputError(f"power usage effectiveness {pue:g} given, at least 1 expected")
    if count < 1 or not 0 <= flops < math.inf:
        raise InputError(f"{count} devices and {flops:g} operations given, at least 1 and 0 expected")
    device_hours = flops / (device.teraflops * 1e12 * utilisation) / 3600
    return of_device_hours(device_hours, device, count, flops=flops, pue=pue)


def of_device_hours(
    device_hours: float, device: Accelerator, count: int = 1, *, flops: float = 0.0, pue: float = 1.1
) -> Estimate:
    """The same where the hours of a device are known, as papers state them.

    Example:
        >>> from vitiq.cost.accelerators import find
        >>> round(of_device_hours(22_016, find("a100")[0]).megawatt_hours, 2)  # DINOv2, Table 14
        9.69
    """
    energy = device_hours * device.watts * pue / 1e6
    money = None if device.dollars is None else device_hours * device.dollars
    return Estimate(flops, device_hours, device_hours / count, energy, money)
