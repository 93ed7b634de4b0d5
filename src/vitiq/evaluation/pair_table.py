"""Records of pairs as CSV or Parquet, written as they come."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, BinaryIO, TypeAlias

from vitiq.errors import InputError
from vitiq.evaluation.scoring import Scored
from vitiq.files import open_output

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
    stopped: KeyboardInterrupt | None = None
    with open_output(path) as file:
        try:
            with kind(file, (*FIXED, *metrics)) as add:
                yield lambda scored: add(row(scored, metrics))
        except KeyboardInterrupt as error:
            stopped = error
    if stopped is not None:
        raise stopped


def row(scored: Scored, metrics: Sequence[str]) -> dict[str, Any]:
    """The columns of one record."""
    fixed = {"reference": str(scored.reference), "distorted": str(scored.distorted)}
    values = {key: scored.scores[key].value if key in scored.scores else float("nan") for key in metrics}
    return {**fixed, "width": scored.width, "height": scored.height, **values}


@contextmanager
def _csv(file: BinaryIO, columns: Sequence[str]) -> Iterator[AddRow]:
    text = io.TextIOWrapper(file, encoding="utf-8", errors="replace", newline="", write_through=True)
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    try:
        yield writer.writerow
    finally:
        text.detach()


@contextmanager
def _parquet(file: BinaryIO, columns: Sequence[str]) -> Iterator[AddRow]:
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

    with pq.ParquetWriter(file, schema) as writer:
        try:
            yield add
        finally:
            flush()


KINDS: dict[str, Callable[[BinaryIO, Sequence[str]], AbstractContextManager[AddRow]]] = {
    ".csv": _csv,
    ".parquet": _parquet,
}
