"""Records on disk: one JSON file a finished task, gathered into Parquet and CSV.

OUT/run.json                 configuration, task hashes in order, problems
OUT/tasks/<hash>.json        one record
OUT/sets.json                scores of sets
OUT/records.parquet, .csv    one row a task
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from vitiq.errors import InputError
from vitiq.image.io import write_bytes
from vitiq.metrics.scoring import number
from vitiq.types import Record

COLUMNS = ("image", "codec", "quality", "width", "height", "bytes", "bpp", "encode_seconds", "decode_seconds")


def write_json(path: Path, value: object) -> None:
    """Write JSON whole or not at all."""
    write_bytes(path, (json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False) + "\n").encode())


def save_record(out: Path, name: str, record: Record) -> None:
    """Keep a finished task's record under its hash."""
    facts = asdict(record)
    facts["scores"] = {key: number(value) for key, value in record.scores.items()}
    write_json(out / "tasks" / f"{name}.json", facts)


def load_record(out: Path, name: str) -> Record | None:
    """A finished task's record, or None where it is not done (or its file is damaged)."""
    try:
        facts = json.loads((out / "tasks" / f"{name}.json").read_text(encoding="utf-8"))
        scores = {key: float("nan") if value is None else float(value) for key, value in facts["scores"].items()}
        return Record(**{**facts, "scores": scores})
    except (OSError, ValueError, KeyError, TypeError):
        return None


def load_run(out: Path) -> tuple[dict[str, Any], list[Record], dict[str, Any]]:
    """Facts of a run, its records in order, and the scores of sets.

    Raises:
        InputError: the folder holds no run.
    """
    try:
        run = json.loads((out / "run.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(
            f"{out}: holds no run ({getattr(error, 'strerror', error)}); give the -o folder of a `vitiq run`"
        ) from error
    records = [record for name in run["tasks"] if (record := load_record(out, name)) is not None]
    sets = json.loads((out / "sets.json").read_text(encoding="utf-8")) if (out / "sets.json").exists() else {}
    return run, records, sets


def rows(records: Sequence[Record]) -> list[dict[str, object]]:
    """Flat rows: the fixed columns, a column a metric, then details (nested ones as JSON)."""
    keys = list(dict.fromkeys(key for record in records for key in record.scores))
    extra = list(dict.fromkeys(key for record in records for key in record.details if key != "scores"))
    result = []
    for record in records:
        row: dict[str, object] = {column: getattr(record, column) for column in COLUMNS}
        row |= {key: float(record.scores.get(key, float("nan"))) for key in keys}
        row |= {key: _flat(record.details.get(key)) for key in extra}
        result.append(row)
    return result


def _flat(value: object) -> object:
    if isinstance(value, Mapping | list | tuple):
        return json.dumps(value, sort_keys=True, ensure_ascii=False)
    return value


def write_tables(out: Path, records: Sequence[Record]) -> None:
    """Write records.parquet and records.csv."""
    import pyarrow as pa  # noqa: PLC0415 - slow to import
    import pyarrow.parquet as pq  # noqa: PLC0415

    flat = rows(records)
    buffer = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(flat), buffer)
    write_bytes(out / "records.parquet", buffer.getvalue())
    text = io.StringIO()
    writer = csv.DictWriter(text, list(flat[0]) if flat else list(COLUMNS), lineterminator="\n")
    writer.writeheader()
    writer.writerows(flat)
    write_bytes(out / "records.csv", text.getvalue().encode())
