"""Which scores were given by a network that had a hand in the reconstruction: those are not independent."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
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
    return _dependent(record, {key: score.signature for key, score in record.scores.items()})


def _dependent(record: Record, signatures: Mapping[str, str]) -> dict[str, str]:
    against: Any = record.details.get("optimised_against") or []
    found: dict[str, str] = {}
    for backbone in against:
        own = {str(backbone.get("weights_sha256"))[:12]: str(backbone["backbone"])}
        own |= {str(sha)[:12]: f"{RELATIVE} {backbone['backbone']}" for sha in backbone.get("related", ())}
        for key, signature in signatures.items():
            scoring = [own[sha] for sha in WEIGHTS.findall(signature) if sha in own]
            if scoring:
                found.setdefault(key, scoring[0])
    return found


def dependent_sets(records: Iterable[Record], signatures: Mapping[str, Mapping[str, str]]) -> dict[str, frozenset[str]]:
    """Set -> metrics of sets that are not independent of the codec that made it; sets without any have none.

    Args:
        records: of the study.
        signatures: name of the set, a codec's label with its rate where it has several -> metric -> signature.
    """
    by_label = {record.label: record for record in records if record.details.get("optimised_against")}
    found = {}
    for name, own in signatures.items():
        record = by_label.get(name) or by_label.get(name.rpartition(" @")[0])
        if record is not None and (dependent := _dependent(record, own)):
            found[name] = frozenset(dependent)
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
