"""Records of pairs as CSV or Parquet, written as they come."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import Any, TypeAlias

from vitiq.errors import InputError
from vitiq.evaluation.scoring import Scored

FIXED = ("reference", "distorted", "width", "height")
ROWS_A_GROUP = 1000
"""Rows kept in memory before a Parquet file takes them."""

AddRow: TypeAlias = Callable[[dict[str, Any]], object]


@contextmanager
def open_table(path: Path, metrics: Sequence[str]) -> Iterator[Callable[[Scored], object]]:
    """Takes records, one row each: the columns `FIXED` and one a metric, NaN where it is not defined.

    The file stands under its name once the block ends; after Ctrl-C it holds the rows so far.

    Args:
        path: ends with .csv or .parquet.
        metrics: names of the metrics.

    Raises:
        InputError: another suffix, or the file cannot be written.
    """
    kind = KINDS.get(path.suffix.lower())
    if kind is None:
        raise InputError(f"{path}: a table of records ends with {' or '.join(KINDS)}")
    part = path.with_name(f".{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with kind(part, (*FIXED, *metrics)) as add:
                yield lambda scored: add(row(scored, metrics))
        except KeyboardInterrupt:
            part.replace(path)
            raise
        part.replace(path)
    except BrokenPipeError:
        raise  # of stdout, not of the table
    except OSError as error:
        raise InputError(f"{path}: cannot be written ({error.strerror}); choose another output with --out") from error
    finally:
        with suppress(OSError):
            part.unlink()


def row(scored: Scored, metrics: Sequence[str]) -> dict[str, Any]:
    """The columns of one record."""
    fixed = {"reference": str(scored.reference), "distorted": str(scored.distorted)}
    values = {key: scored.scores[key].value if key in scored.scores else float("nan") for key in metrics}
    return {**fixed, "width": scored.width, "height": scored.height, **values}


@contextmanager
def _csv(path: Path, columns: Sequence[str]) -> Iterator[AddRow]:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, columns, lineterminator="\n")
        writer.writeheader()
        yield writer.writerow


@contextmanager
def _parquet(path: Path, columns: Sequence[str]) -> Iterator[AddRow]:
    import pyarrow as pa  # noqa: PLC0415 - slow to import
    import pyarrow.parquet as pq  # noqa: PLC0415

    kinds = {"reference": pa.string(), "distorted": pa.string(), "width": pa.int32(), "height": pa.int32()}
    schema = pa.schema([(name, kinds.get(name, pa.float64())) for name in columns])
    rows: list[dict[str, Any]] = []

    def flush() -> None:
        writer.write_table(pa.Table.from_pylist(rows, schema))
        rows.clear()

    def add(values: dict[str, Any]) -> None:
        rows.append(values)
        if len(rows) >= ROWS_A_GROUP:
            flush()

    with pq.ParquetWriter(path, schema) as writer:
        try:
            yield add
        finally:
            flush()


KINDS: dict[str, Callable[[Path, Sequence[str]], AbstractContextManager[AddRow]]] = {
    ".csv": _csv,
    ".parquet": _parquet,
}
