"""`vitiq cost`."""

from __future__ import annotations

import math
import re
from dataclasses import asdict
from pathlib import Path

import click

from vitiq.cli import options as common
from vitiq.cli.common import print_json
from vitiq.cli.options import PathName
from vitiq.errors import InputError

SCALES = {"": 1.0, "k": 1e3, "m": 1e6, "g": 1e9, "b": 1e9}


def count_of(text: str) -> float:
    """A number such as 300M, 1.28M or 14.

    Raises:
        InputError: not a number from 0.
    """
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([kmgb]?)", text.strip().lower())
    value = math.inf if match is None else float(match[1]) * SCALES[match[2]]
    if not math.isfinite(value):
        raise InputError(f"{text[:20]!r} given, a number expected, as 50000, 1.28M or 300M")
    return value


@click.command("cost")
@click.argument("model")
@click.option("--images", help="Number of training images.  [default: 1.28M]")
@click.option("--epochs", type=float, help="Passes over the training set.  [default: 1]")
@click.option("--size", type=click.IntRange(min=1), help="Side of an image in pixels.  [default: 224]")
@click.option(
    "--config",
    type=PathName(path_type=Path),
    help="Configuration of a model of vitiq train: a file, or the name of a shipped one.",
)
@click.option("--on", "device", default="a100:8", show_default=True, help="Device:count; cpu: this machine, measured.")
@click.option(
    "--utilisation",
    type=float,
    default=0.3,
    show_default=True,
    help="Fraction of the peak performance that is reached.",
)
@click.option("--price", type=float, help="US dollars per device and hour; list price if not given.")
@click.option("--watts", type=float, help="Watts per device; from the table if not given.")
@click.option("--pue", type=float, default=1.1, show_default=True, help="Power usage effectiveness of the data centre.")
@common.as_json
def command(  # noqa: PLR0917
    model: str,
    images: str | None,
    epochs: float | None,
    size: int | None,
    config: Path | None,
    device: str,
    utilisation: float,
    price: float | None,
    watts: float | None,
    pue: float,
    as_json: bool,
) -> None:
    """Estimate what it costs to train MODEL: a Vision Transformer such as vit-h/14, or a model of `vitiq train`.

    torch counts the operations of a forward pass. A training step of a Vision Transformer counts as three of them;
    those of vitiq's own models are counted, forward and backward, for their configuration. The time follows from the
    device's peak and the utilisation, energy from its power, money from its price.
    """
    from vitiq.cost.answer import cost  # noqa: PLC0415

    found = cost(
        model,
        device,
        images=None if images is None else count_of(images),
        epochs=epochs,
        size=size,
        config=config,
        utilisation=utilisation,
        price=price,
        watts=watts,
        pue=pue,
    )
    result, unit = found.estimate, found.device
    if as_json:
        print_json(
            {
                "model": model,
                "parameters": found.parameters,
                "forward_flops": found.forward_flops,
                "training": asdict(result),
                "device": {**asdict(unit), "count": found.count},
                "utilisation": utilisation,
                "pue": pue,
            }
        )
        return
    money = "no price known; give --price" if result.dollars is None else price_of(result.dollars)
    devices = f" ({duration(result.device_hours, 'device-')})" if found.count > 1 else ""
    lines = {
        "parameters": f"{found.parameters / 1e6:,.1f} million",
        "forward": f"{found.forward_flops / 1e9:,.3g} GFLOP, {found.reads} (multiplication and addition are two)",
        "training": f"{result.flops:.3g} FLOP: {found.training}",
        "device": f"{found.count} × {unit.title}, "
        f"{unit.teraflops:.4g} TFLOPS peak each, {utilisation:.0%} of that reached",
        "time": f"{duration(result.hours)}{devices}",
        "energy": f"{energy(result.megawatt_hours)} ({unit.watts:g} W each, PUE {pue:g})",
        "money": money,
        "source": f"{unit.source} ({unit.date})",
    }
    for name, value in lines.items():
        click.echo(f"{name:12}{value}")


def amount(value: float) -> str:
    """Whole numbers with separators, small ones with three digits; hardly anything is said as such.

    Example:
        >>> amount(60132.4), amount(0.01234), amount(2e-6)
        ('60,132', '0.0123', 'less than 0.001')
    """
    if 0 < value < 0.001:
        return "less than 0.001"
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def duration(hours: float, kind: str = "") -> str:
    """Hours in the unit that suits them.

    Args:
        kind: before the unit ("device-").

    Example:
        >>> duration(0.0158), duration(0.2), duration(36), duration(117.2), duration(60000, "device-")
        ('56.9 seconds', '12 minutes', '36 hours', '4.88 days', '2,500 device-days')
    """
    for unit, size, limit in (("seconds", 1 / 3600, 60), ("minutes", 1 / 60, 60), ("hours", 1, 48)):
        if hours / size < limit:
            return f"{amount(hours / size)} {kind}{unit}"
    return f"{amount(hours / 24)} {kind}days"


def energy(megawatt_hours: float) -> str:
    """Energy in the unit that suits it.

    Example:
        >>> energy(6.29e-7), energy(0.0123), energy(9.69)
        ('0.629 Wh', '12.3 kWh', '9.69 MWh')
    """
    for unit, size in (("Wh", 1e-6), ("kWh", 1e-3)):
        if megawatt_hours / size < 1000:
            return f"{amount(megawatt_hours / size)} {unit}"
    return f"{amount(megawatt_hours)} MWh"


def price_of(dollars: float) -> str:
    """Money in dollars, or in cents where it is less than one.

    Example:
        >>> price_of(0.00586), price_of(60132.4)
        ('0.586 cents', '60,132 dollars')
    """
    return f"{amount(100 * dollars)} cents" if dollars < 1 else f"{amount(dollars)} dollars"
