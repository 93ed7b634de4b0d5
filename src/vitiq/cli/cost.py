"""`vitiq cost`."""

from __future__ import annotations

import re
from dataclasses import asdict, replace

import click

from vitiq.cli import options as common
from vitiq.cli.common import print_json
from vitiq.errors import InputError

SCALES = {"": 1.0, "k": 1e3, "m": 1e6, "g": 1e9, "b": 1e9}


def count_of(text: str) -> float:
    """A number such as 300M, 1.28M or 14.

    Raises:
        InputError: not a number from 0.
    """
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([kmgb]?)", text.strip().lower())
    if match is None:
        raise InputError(f"{text!r} given, a number expected, as 50000, 1.28M or 300M")
    return float(match[1]) * SCALES[match[2]]


@click.command("cost")
@click.argument("model")
@click.option("--images", default="1.28M", show_default=True, help="Images of the training set.")
@click.option("--epochs", type=float, default=1.0, show_default=True, help="Times that each image is seen.")
@click.option("--size", type=click.IntRange(min=1), default=224, show_default=True, help="Pixels a side of an image.")
@click.option("--on", "device", default="a100:8", show_default=True, help="Device:count; cpu is measured.")
@click.option("--utilisation", type=float, default=0.3, show_default=True, help="Share of the peak that is reached.")
@click.option("--price", type=float, help="Dollars a unit and hour; the table's list price if not given.")
@click.option("--watts", type=float, help="Watts a unit; the table's if not given.")
@click.option("--pue", type=float, default=1.1, show_default=True, help="Power usage effectiveness of the building.")
@common.as_json
def command(  # noqa: PLR0917
    model: str,
    images: str,
    epochs: float,
    size: int,
    device: str,
    utilisation: float,
    price: float | None,
    watts: float | None,
    pue: float,
    as_json: bool,
) -> None:
    """Estimate what it costs to train MODEL: a Vision Transformer such as vit-h/14.

    Operations of a forward pass are counted by torch; a training step is three of them. Hours follow from the device's
    peak and the utilisation, energy from its power, money from its price.
    """
    from vitiq.cost.accelerators import find  # noqa: PLC0415
    from vitiq.cost.estimate import estimate, training_flops  # noqa: PLC0415
    from vitiq.cost.transformers import counted, parse_transformer  # noqa: PLC0415

    shape = parse_transformer(model, size)
    seen = count_of(images)
    unit, number = find(device)
    if price is not None:
        unit = replace(unit, dollars=price, source=f"{unit.source}; price given")
    if watts is not None:
        unit = replace(unit, watts=watts, source=f"{unit.source}; power given")
    weights, forward = counted(shape)
    total = training_flops(forward, seen, epochs)
    result = estimate(total, unit, number, utilisation=utilisation, pue=pue)
    if as_json:
        print_json(
            {
                "model": model,
                "parameters": weights,
                "forward_flops": forward,
                "training": asdict(result),
                "device": {**asdict(unit), "count": number},
                "utilisation": utilisation,
                "pue": pue,
            }
        )
        return
    money = "no price known; give --price" if result.dollars is None else f"{result.dollars:,.0f} dollars"
    lines = {
        "parameters": f"{weights / 1e6:,.1f} million",
        "forward": f"{forward / 1e9:,.2f} GFLOP an image of {size}×{size} (multiplication and addition are two)",
        "training": f"{total:.3g} FLOP: 3 × forward × {seen:,.0f} images × {epochs:g} epochs",
        "device": f"{number} × {unit.title}, {unit.teraflops:g} TFLOPS peak each, {utilisation:.0%} of it reached",
        "time": f"{result.hours:,.1f} hours ({result.device_hours / 24:,.1f} device-days)",
        "energy": f"{result.megawatt_hours:,.3g} MWh ({unit.watts:g} W each, PUE {pue:g})",
        "money": money,
        "source": f"{unit.source} ({unit.date})",
    }
    for name, value in lines.items():
        click.echo(f"{name:12}{value}")
