"""What the training of a model costs: a Vision Transformer by name, or one that vitiq trains itself."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from pathlib import Path

from vitiq.cost.accelerators import Accelerator, find
from vitiq.cost.estimate import STEP, Estimate, estimate, training_flops
from vitiq.errors import InputError
from vitiq.training.recipes import MODELS

OWN = tuple(MODELS)
"""Models of `vitiq train`."""

IMAGENET = 1.28e6
"""Images of a training set where none are given: ImageNet-1k's."""


@dataclass(frozen=True, slots=True)
class Cost:
    """A training and its price.

    Attributes:
        model: as given.
        parameters: of the network, without helpers of the training.
        forward_flops: of one image.
        reads: what that image is.
        training: how the operations come about, to show to people.
        estimate: operations, hours, energy, money.
        device, count: what it runs on.
    """

    model: str
    parameters: int
    forward_flops: int
    reads: str
    training: str
    estimate: Estimate
    device: Accelerator
    count: int


def cost(
    model: str,
    on: str = "a100:8",
    *,
    images: float | None = None,
    epochs: float | None = None,
    size: int | None = None,
    config: Path | None = None,
    utilisation: float = 0.3,
    price: float | None = None,
    watts: float | None = None,
    pue: float = 1.1,
) -> Cost:
    """What it costs to train a model.

    Args:
        model: a Vision Transformer such as vit-h/14, or a model of `vitiq train`.
        on: device and count, as `accelerators.find`.
        images, epochs, size: of a Vision Transformer's training set, times that each is seen, and pixels per side;
            1.28 million, 1 and 224 if not given. vitiq's own trainings have theirs in their configuration.
        config: configuration of one of vitiq's own trainings; the shipped one if not given.
        utilisation: share of the device's peak that is reached, above 0 to 1.
        price: dollars a unit and hour instead of the table's.
        watts: watts a unit instead of the table's.
        pue: power usage effectiveness of the building, from 1.

    Raises:
        InputError: no such model or device, or a number outside its range.

    Example:
        >>> f"{cost('vit-b/16', 'a100:8', images=1.28e6, epochs=300).estimate.flops:.2e}"
        '4.05e+19'
    """
    for name, value in {"images": images, "epochs": epochs, "price": price, "watts": watts}.items():
        if value is not None and not (math.isfinite(value) and value >= 0):
            raise InputError(f"{name} {value:g} given, a number from 0 expected")
    device, count = find(on)
    if price is not None:
        device = replace(device, dollars=price, source=f"{device.source}; price given")
    if watts is not None:
        device = replace(device, watts=watts, source=f"{device.source}; power given")
    if model in OWN:
        given = [name for name, value in (("images", images), ("epochs", epochs), ("size", size)) if value is not None]
        if given:
            raise InputError(
                f"{' and '.join(given)} given for {model}, whose training has them in its configuration: "
                f"leave out, or give another configuration"
            )
        weights, forward, reads, total, training = _own(model, config)
    elif config is not None:
        raise InputError(f"a configuration given for {model}, which is none of vitiq's trainings: {', '.join(OWN)}")
    else:
        weights, forward, reads, total, training = _named(
            model, IMAGENET if images is None else images, 1.0 if epochs is None else epochs, size or 224
        )
    result = estimate(total, device, count, utilisation=utilisation, pue=pue)
    return Cost(model, weights, forward, reads, training, result, device, count)


def _own(model: str, config: Path | None) -> tuple[int, int, str, float, str]:
    from vitiq.cost.own_models import TRAININGS  # noqa: PLC0415 - heavy

    found = TRAININGS[model](config)
    parts = [f"{part.steps:,} steps of {part.batch} ({part.what})" for part in found.stretches if part.steps]
    how = "forward and backward counted: " + ", ".join(parts)
    return found.parameters, found.forward_flops, found.reads, float(found.flops), how


def _named(model: str, images: float, epochs: float, size: int) -> tuple[int, int, str, float, str]:
    from vitiq.cost.transformers import counted, parse_transformer  # noqa: PLC0415 - heavy

    shape = parse_transformer(model, size, others=OWN)
    weights, forward = counted(shape)
    how = f"{STEP} × forward × {images:,.0f} images × {epochs:g} epochs"
    return weights, forward, f"an image of {size}×{size}", training_flops(forward, images, epochs), how
