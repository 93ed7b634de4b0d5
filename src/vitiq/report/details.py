"""What a report shows of a score's details: a large study has gigabytes of them, most of them shared labels."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

LABELS = 5
"""Labels shown of each image."""
LIKELY = 0.01
"""Probability of a label that counts as likely."""

SHOWN = (
    *("undefined", "k", "chance", "chance_deviation", "p_value", "adjusted", "top1"),
    *("original", "generated", "delta"),
)
"""Names of details that are shown as they are."""


class Shared(NamedTuple):
    """Labels that both images have among their first.

    Attributes:
        rows: the likeliest, `LABELS` at most: label, its probability in the original and in the reconstruction.
        total: number of all.
        likely: how many have a probability of `LIKELY` or more in the original.
    """

    rows: list[tuple[str, float, float]]
    total: int
    likely: int


def shown_details(details: Mapping[str, Any]) -> dict[str, Any]:
    """The details that a report shows; `shared` is the `Shared` of the labels.

    Raises:
        KeyError, TypeError, ValueError: they are none of vitiq's.
    """
    kept = {name: details[name] for name in SHOWN if name in details}
    if details.get("shared_labels"):
        kept["shared"] = shared_labels(details)
    return kept


def shared_labels(details: Mapping[str, Any]) -> Shared:
    """The shared labels of a score's details, be they those of `shown_details`."""
    found: Shared | None = details.get("shared")
    if found is not None:
        return found
    rows = [
        (str(row["label"]), float(row["original"]), float(row["reconstruction"]))
        for row in details.get("shared_labels") or ()
    ]
    likely = sum(original >= LIKELY for _, original, _ in rows)
    return Shared(sorted(rows, key=lambda row: -max(row[1:]))[:LABELS], len(rows), likely)
