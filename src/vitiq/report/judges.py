"""Which scores were given by a network that had a hand in the reconstruction: those are not independent."""

from __future__ import annotations

import re
from typing import Any

from vitiq.types import Record

WEIGHTS = re.compile(r"weights:([0-9a-f]{12})")


def dependent_scores(record: Record) -> dict[str, str]:
    """Metric -> the backbone that tuned the reconstruction and also gave this score, itself or as its teacher.

    Told by the weights in each signature, not by names, so that a copy of a file is the same judge.
    """
    tuned: Any = record.details.get("tuned_on") or []
    signatures: Any = record.details.get("signatures", {})
    found: dict[str, str] = {}
    for backbone in tuned:
        own = {str(backbone.get("weights_sha256"))[:12]: str(backbone["backbone"])}
        own |= {str(sha)[:12]: f"a relative of {backbone['backbone']}" for sha in backbone.get("related", ())}
        for key, signature in signatures.items():
            judges = [own[sha] for sha in WEIGHTS.findall(str(signature)) if sha in own]
            if judges:
                found.setdefault(str(key), judges[0])
    return found


def warning(record: Record) -> str | None:
    """One line for the report, None where every judge is independent."""
    found = dependent_scores(record)
    if not found:
        return None
    judges = ", ".join(dict.fromkeys(found.values()))
    return f"tuned on a network that also judges it ({judges}): {', '.join(found)} are not independent"
