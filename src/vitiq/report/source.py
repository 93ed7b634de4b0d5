"""What a report is made of: the records of a folder and where their files lie. Reads, never writes."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from vitiq.evaluation.record import Record
from vitiq.evaluation.store import load_run
from vitiq.types import Record as Row
from vitiq.types import Score


@dataclass(frozen=True, slots=True)
class Files:
    """Files of one record; None where there is none."""

    original: Path | None = None
    reconstruction: Path | None = None
    bitstream: Path | None = None
    trace: Path | None = None
    map: Path | None = None


@dataclass(frozen=True, slots=True)
class Study:
    """Everything a report shows.

    Attributes:
        name: of the folder, for the title.
        records: finished ones with their files, in the order of the plan.
        missing: one line for each file that could not be made.
        problems: one line for each thing that went wrong.
        sets: label of a codec -> metric of sets -> score as JSON.
        settings: of the run, as JSON.
        planned: tasks in all; 0 where not known.
    """

    name: str
    records: list[tuple[Record, Files]]
    missing: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    sets: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    planned: int = 0


def read_study(out: Path) -> Study:
    """The study in a folder.

    Raises:
        InputError: the folder holds no run.
    """
    run, rows, sets = load_run(out)
    records = []
    for row in rows:
        paths = {
            kind: out / str(row.details[kind])
            for kind in ("reconstruction", "bitstream", "trace", "map")
            if kind in row.details
        }
        records.append((typed(row), Files(original=out / run["originals"][row.image], **paths)))
    problems = [str(line) for line in run.get("problems", ())]
    return Study(
        out.resolve().name,
        records,
        [str(line) for line in run.get("not_made", ())],
        problems,
        sets,
        run.get("config", {}),
        len(run["tasks"]),
    )


def study_version(out: Path) -> str:
    """Changes whenever something is added to a study: names, times and sizes of the files that hold its rows."""
    stamps = hashlib.sha256()
    for pattern in ("*.json", "studies/*.json", "tasks/*.json", "store/**/*"):
        for path in sorted(out.glob(pattern)):
            try:
                found = path.stat()
            except OSError:
                continue
            stamps.update(f"{path}:{found.st_mtime_ns}:{found.st_size}".encode())
    return stamps.hexdigest()[:16]


def typed(row: Row) -> Record:
    """A row of a run's folder as a record."""
    details: dict[str, Any] = dict(row.details)
    known = {key: dict(value) for key, value in details.pop("scores", {}).items()}
    signatures = details.get("signatures", {})
    scores = {key: Score(float(v), str(signatures.get(key, "")), known.get(key, {})) for key, v in row.scores.items()}
    target = None if details["group"] == "main" else details.get("target_bytes")
    details |= {"optimised_against": details.get("tuned_on"), "preset": "run"}
    return Record(
        str(details["task"]),
        row.image,
        "",
        row.codec,
        str(details["title"]),
        details.get("settings", {}),
        "quality" if target is None else "bytes",
        row.quality if target is None else float(target),
        row.quality,
        bool(details.get("reachable", True)),
        row.width,
        row.height,
        row.bytes,
        row.bpp,
        row.encode_seconds,
        row.decode_seconds,
        scores,
        tuple(details.get("notes", ())),
        None,
        details,
    )


def read_trace(path: Path) -> dict[str, Any]:
    """Losses, previews (iteration, path relative to the study) and latents of an optimised file."""
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found
