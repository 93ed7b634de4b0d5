"""A study in the form that reports read until they read `Record`s themselves."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from vitiq.evaluation.series_sets import read_set_scores
from vitiq.evaluation.store import Store
from vitiq.metrics.scoring import to_json
from vitiq.types import Record


def load_run(out: Path) -> tuple[dict[str, Any], list[Record], dict[str, Any]]:
    """Facts of a run, its records in order, and the scores of sets.

    Raises:
        InputError: the folder holds no study.
    """
    store = Store(out)
    study = store.study()
    found = store.records(study)
    rows = []
    for record in found:
        if record.error is not None:
            continue
        details = dict(record.details)
        details |= {
            "reachable": record.reached,
            "settings": dict(record.settings),
            "tuned_on": record.details.get("optimised_against", []),
            "notes": list(record.notes),
            "task": record.key,
            "scores": {key: to_json(score) for key, score in record.scores.items()},
            "signatures": {key: score.signature for key, score in record.scores.items()},
        }
        for kind in ("bitstream", "reconstruction", "trace", "map"):
            path: Path | None = getattr(store, kind)(record)
            if path is not None:
                details[kind] = path.relative_to(out).as_posix()
        if "map_signature" in details:
            signatures = {key: score.signature for key, score in record.scores.items()}
            details["signatures"] = {**signatures, "vit-map": details["map_signature"]}
        values = {key: score.value for key, score in record.scores.items()}
        rows.append(
            Record(
                record.image,
                record.codec,
                record.rate_value if record.quality is None else record.quality,
                record.width,
                record.height,
                record.bytes,
                record.bpp,
                record.encode_seconds,
                record.decode_seconds,
                values,
                details,
            )
        )
    failed = [f"{r.image}: {r.codec}: {r.error}" for r in found if r.error is not None]
    originals = {r.image: str(store.path("originals", r.image_sha256).relative_to(out)) for r in found}
    by_label = {series.label: series.codec for series in study.series}
    sets = {by_label.get(name, name): scores for name, scores in read_set_scores(study, store).items()}
    facts = {
        "config": {"preset": study.preset},
        "tasks": [record.key for record in found],
        "originals": originals,
        "problems": [*study.problems, *failed],
        "not_made": failed,
    }
    return facts, rows, sets
