"""Why numbers of a table are missing: a mark in the cell, and each reason once below, however many cells have it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from vitiq.text import listed

NOTHING = "–"
"""Instead of a number that is refused."""
PREFIX = "BD-rate refused: "
"""Before a reason where it does not stand below a table of BD-rates."""


@dataclass(frozen=True, slots=True)
class Refusals:
    """The reasons of a table, numbered as they come.

    Attributes:
        reasons: reason -> codec -> metrics in which it has no number.
    """

    reasons: Mapping[str, Mapping[str, Sequence[str]]]

    @classmethod
    def of(cls, refused: Iterable[tuple[str, str, str]]) -> Refusals:
        """The reasons of codec, metric and reason of every number that is missing.

        Example:
            >>> found = Refusals.of([("AVIF", "psnr-y", "2 points"), ("AVIF", "ssim", "2 points")])
            >>> found.cell("2 points"), found.lines(), found.named()
            ('– (1)', ['(1) 2 points'], ['AVIF, psnr-y and ssim: 2 points'])
        """
        found: dict[str, dict[str, list[str]]] = {}
        for codec, metric, why in refused:
            found.setdefault(why, {}).setdefault(codec, []).append(metric)
        return cls(found)

    def cell(self, why: str) -> str:
        """What stands in place of a number: a dash with the number of its reason."""
        return f"{NOTHING} ({list(self.reasons).index(why) + 1})"

    def lines(self) -> list[str]:
        """The reasons with their numbers, for below a table of BD-rates."""
        return [f"({number}) {why.removeprefix(PREFIX)}" for number, why in enumerate(self.reasons, 1)]

    def named(self) -> list[str]:
        """Each reason with the codecs and metrics that it is of, for apart from a table."""
        return [
            f"{'; '.join(f'{codec}, {listed(list(metrics))}' for codec, metrics in codecs.items())}: {why}"
            for why, codecs in self.reasons.items()
        ]
