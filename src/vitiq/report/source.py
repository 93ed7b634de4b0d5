"""What a report is made of: the records of a folder and where their files lie. Reads, never writes."""

from __future__ import annotations

import hashlib
import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypedDict

import msgspec
import numpy as np
from jaxtyping import Float32

from vitiq.analysis.points import RdPoint
from vitiq.errors import InputError
from vitiq.evaluation.published import PublishedPoint
from vitiq.evaluation.record import Record
from vitiq.evaluation.series_sets import read_set_scores
from vitiq.evaluation.standing import standing
from vitiq.evaluation.store import Store, inside
from vitiq.npz import bounded_npz
from vitiq.report.details import shown_details
from vitiq.report.metric_info import metric_infos
from vitiq.text import parse_json


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
        unfinished: what is still to be done, if anything, in lines.
        anchor: label of the curve that BD-rates are relative to; None where none was asked for.
        published: points of published tables.
    """

    name: str
    records: list[tuple[Record, Files]]
    missing: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    sets: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    planned: int = 0
    unfinished: list[str] = field(default_factory=list)
    anchor: str | None = None
    published: Sequence[RdPoint] = ()


def read_study(out: Path, name: str | None = None) -> Study:
    """A study in a folder, the last one if none is named.

    Raises:
        InputError: the folder holds no study, or none of that name.
    """
    store = Store(out)
    study = store.study(name)
    records: list[tuple[Record, Files]] = []
    missing: list[str] = []
    unscored: list[str] = []
    read = store.records(study, kept=shown_details)
    for record in read:
        if record.failure is not None:
            lines = unscored if record.error is None else missing
            lines.append(visible(f"{record.image}: {record.codec}: {record.failure}"))
        if record.bytes:
            details = {**record.details, "preset": study.preset}
            files = Files(*(getattr(store, kind)(record) for kind in Files.__dataclass_fields__))
            image, label = visible(record.image), visible(record.label)
            records.append((replace(record, image=image, label=label, details=details), files))
    missing = counted(missing)
    problems = [*counted([visible(line) for line in study.problems]), *missing, *counted(unscored)]
    settings = {"preset": study.preset, "metrics": list(study.metrics)}
    return Study(
        out.resolve().name,
        records,
        missing,
        problems,
        read_set_scores(study, store),
        settings,
        len(study),
        standing(study, read).lines(lambda name: metric_infos([name])[0].short),
        None if study.anchor is None else visible(study.anchor),
        [_visible_point(point) for point in study.published],
    )


def read_progress(out: Path) -> tuple[int, int]:
    """Records that `read_study` would show, and its planned tasks: counted, not read.

    Raises:
        InputError: the folder holds no study.
    """
    store = Store(out)
    study = store.study()
    return store.standing(study).files, len(study)


def _visible_point(point: PublishedPoint) -> RdPoint:
    names = visible(point.codec), visible(point.image), visible(point.setting)
    return replace(point.to_point(), codec=names[0], image=names[1], setting=names[2])


def visible(text: str) -> str:
    """Text whose control characters are seen as escapes: one that turns the direction of writing would else turn the
    sentence around a name.
    """
    return "".join(c if unicodedata.category(c) not in HIDDEN else c.encode("unicode-escape").decode() for c in text)


HIDDEN = ("Cc", "Cf", "Co", "Cs", "Zl", "Zp")
"""Categories of characters without a glyph of their own (Unicode Standard, table 4-4)."""


def counted(lines: Sequence[str]) -> list[str]:
    """Lines without repetitions, with how often each stood there."""
    return [f"{line} ({count} times)" if count > 1 else line for line, count in Counter(lines).items()]


def study_version(out: Path) -> str:
    """Changes whenever something is added to a study: names, times and sizes of the files that hold its rows."""
    stamps = hashlib.sha256()
    for pattern in ("study.json", "studies/*.json", "store/**/*"):
        for path in sorted(out.glob(pattern)):
            try:
                found = path.stat()
            except OSError:
                continue
            stamps.update(f"{path}:{found.st_mtime_ns}:{found.st_size}".encode())
    return stamps.hexdigest()[:16]


def read_trace(path: Path) -> dict[str, Any]:
    """Losses, previews (iteration, path relative to the study) and latents of an optimised file.

    Raises:
        InputError: it cannot be read, or holds something else.
    """
    try:
        values: Any = msgspec.convert(parse_json(path.read_text(encoding="utf-8")), _Trace)
    except (OSError, ValueError, msgspec.ValidationError) as error:
        raise InputError(f"{path}: no trace of a search that can be read ({error}); remove it") from error
    found: dict[str, Any] = values
    return found


def read_maps(path: Path) -> tuple[Float32[np.ndarray, "h w"], Float32[np.ndarray, "rows columns"]]:
    """The semantic error map and the attention of a file of maps.

    Raises:
        InputError: it cannot be read, or holds something else.
    """
    try:
        found = bounded_npz(path)
        loss, attention = (np.asarray(found[name], np.float32) for name in ("loss", "attention"))
        if loss.ndim != 2 or attention.ndim != 2 or not (loss.size and attention.size):
            raise ValueError(f"arrays of {loss.shape} and {attention.shape} numbers, two dimensions expected")
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise InputError(f"{path}: no maps that can be read ({error}); remove it") from error
    return loss, attention


def previews(path: Path, trace: Mapping[str, Any]) -> list[tuple[int, Path]]:
    """Images of a search that are there, each with its iteration.

    Args:
        path: of the trace.
        trace: what `read_trace` gave.

    Raises:
        InputError: one of them lies outside the study.
    """
    root = next((above.parent for above in path.parents if above.name == "traces"), path.parent)
    named = ((int(iteration), inside(root / str(name), root)) for iteration, name in trace.get("previews", ()))
    return [(iteration, image) for iteration, image in named if image.exists()]


class _Trace(TypedDict, total=False):
    loss: list[float]
    previews: list[tuple[int, str]]
    latents: list[Any]
