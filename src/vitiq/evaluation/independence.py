"""Which scores were given by a network that had a hand in the reconstruction: those are not independent."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from vitiq.evaluation.record import Record

MARK = "†"
"""Beside a number that is not independent, in every table."""
DEPENDENT = f"{MARK} Scored by a network, or a relative of it, that the codec was optimised against."
"""What the mark says of a score."""
DEPENDENT_RATE = (
    f"{MARK} By scores of a network, or a relative of it, that one of the two codecs was optimised against."
)
"""What the mark says of a BD-rate."""
RELATIVE = "a relative of"
"""Words before the name of a network that is not the one that scores, but shares its teacher or is its teacher."""
WEIGHTS = re.compile(r"weights:([0-9a-f]{12})")


def dependent_scores(record: Record) -> dict[str, str]:
    """Metric -> the backbone that the codec was optimised against and that also gave this score, itself or its teacher.

    Found by the weights in each signature, not by names, so that a copy of a file is the same backbone.
    """
    against: Any = record.details.get("optimised_against") or []
    found: dict[str, str] = {}
    for backbone in against:
        own = {str(backbone.get("weights_sha256"))[:12]: str(backbone["backbone"])}
        own |= {str(sha)[:12]: f"{RELATIVE} {backbone['backbone']}" for sha in backbone.get("related", ())}
        for key, score in record.scores.items():
            scoring = [own[sha] for sha in WEIGHTS.findall(score.signature) if sha in own]
            if scoring:
                found.setdefault(key, scoring[0])
    return found


def dependent_of(records: Iterable[Record]) -> dict[str, str]:
    """`dependent_scores` of all files of a codec."""
    found: dict[str, str] = {}
    for record in records:
        found |= dependent_scores(record)
    return found


def marked(text: str, *, independent: bool) -> str:
    """A number as it stands in a table; what is no number, a dash, has no mark."""
    return text if independent or text == "–" else f"{text}{MARK}"
