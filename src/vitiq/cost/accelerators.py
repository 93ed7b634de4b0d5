"""Devices that a training runs on: a table with sources and dates, and the processor at hand, measured."""

from __future__ import annotations

import re
import time
import tomllib
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files

from vitiq.errors import InputError, near_names

MEASURED_SIDE = 2048
MEASURED_SECONDS = 1.0
LAPTOP_WATTS = 28.0
"""Package power of a thin laptop's processor under load; `--watts` gives another."""


@dataclass(frozen=True, slots=True)
class Accelerator:
    """One unit of a device.

    Attributes:
        name: as `--on` takes it.
        title: to show to people, with what one unit is.
        teraflops: peak of dense matrix products in the precision that trainings use, 10¹² operations a second.
        watts: power under load.
        dollars: list price of one unit an hour; None where the source gives none.
        source, date: where the figures are from.
    """

    name: str
    title: str
    teraflops: float
    watts: float
    dollars: float | None
    source: str
    date: str


@lru_cache(maxsize=1)
def accelerators() -> dict[str, Accelerator]:
    """The table, by name."""
    table = tomllib.loads(files("vitiq.cost").joinpath("accelerators.toml").read_text(encoding="utf-8"))
    return {name: Accelerator(name, **{"dollars": None, **row}) for name, row in table.items()}


def find(text: str) -> tuple[Accelerator, int]:
    """A device and how many of it, from `NAME` or `NAME:COUNT`; `cpu` is measured here and now.

    Raises:
        InputError: no such device, or a count that is not a whole number from 1.

    Example:
        >>> device, count = find("tpu-v3:512")
        >>> device.title, count
        ('TPU v3 core', 512)
    """
    name, _, number = text.partition(":")
    if number and not re.fullmatch(r"[1-9]\d{0,8}", number):
        raise InputError(f"{text!r} given as device, the count after the colon is a whole number from 1, as tpu-v3:512")
    count = int(number or 1)
    if name == "cpu":
        return measured_cpu(), count
    known = accelerators()
    if name not in known:
        near = near_names(name, [*known, "cpu"], most=2)
        hint = f"did you mean {' or '.join(near)}?" if near else f"choose from {', '.join([*known, 'cpu'])}"
        raise InputError(f"no accelerator {name!r} in the table: {hint}")
    return known[name], count


def measured_cpu() -> Accelerator:
    """This machine's processor: products of 2048×2048 float32 matrices for a second, on all threads."""
    import torch  # noqa: PLC0415 - heavy

    a, b = torch.rand(2, MEASURED_SIDE, MEASURED_SIDE)
    torch.mm(a, b)
    start, done = time.perf_counter(), 0
    while time.perf_counter() - start < MEASURED_SECONDS:
        torch.mm(a, b)
        done += 1
    seconds = time.perf_counter() - start
    teraflops = 2 * MEASURED_SIDE**3 * done / seconds / 1e12
    threads = torch.get_num_threads()
    source = f"measured: float32 products of {MEASURED_SIDE}² matrices on {threads} threads; power assumed"
    return Accelerator("cpu", "this processor", teraflops, LAPTOP_WATTS, None, source, time.strftime("%Y-%m"))
