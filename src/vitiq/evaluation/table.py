"""Records of pairs as CSV or Parquet."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeAlias

from vitiq.errors import InputError, first_line
from vitiq.evaluation.parts import connect, quoted
from vitiq.evaluation.scoring import Scored
from vitiq.evaluation.study import readable
from vitiq.files import output_path

FIXED = {"reference": "VARCHAR", "distorted": "VARCHAR", "width": "INTEGER", "height": "INTEGER"}
SUFFIXES = (".csv", ".parquet")
ROWS = 1000
"""Rows kept in memory before a Parquet table takes them."""

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
    import duckdb  # noqa: PLC0415

    if path.suffix.lower() not in SUFFIXES:
        raise InputError(f"{path}: a table of records ends with {' or '.join(SUFFIXES)}")
    write = _csv if path.suffix.lower() == ".csv" else _parquet
    stopped: KeyboardInterrupt | None = None
    try:
        with output_path(path) as part:
            try:
                with write(part, metrics) as add:
                    yield lambda scored: add(row(scored, metrics))
            except KeyboardInterrupt as error:
                stopped = error
    except duckdb.Error as error:
        raise InputError(f"{path}: cannot be written ({first_line(error)}); choose another output") from error
    if stopped is not None:
        raise stopped


def check_replaceable(path: Path, *, force: bool) -> None:
    """Refuse to replace a file that is no table of records; an earlier table of the same kind may be replaced.

    Raises:
        InputError: there is such a file, unless `force`.
    """
    if not force and path.is_file() and path.stat().st_size and not _is_table(path):
        raise InputError(f"{path}: exists already and is no table of vitiq's; give --force, or another name to --out")


def _is_table(path: Path) -> bool:
    import duckdb  # noqa: PLC0415

    if path.suffix.lower() != ".parquet":
        with path.open("rb") as file:
            return file.readline(1 << 16).startswith(",".join(FIXED).encode())
    try:
        with connect() as database:
            return [name for name, *_ in database.execute(f"DESCRIBE SELECT * FROM {quoted(path)}").fetchall()][
                : len(FIXED)
            ] == list(FIXED)
    except duckdb.Error:
        return False


def row(scored: Scored, metrics: Sequence[str]) -> dict[str, Any]:
    """The columns of one record."""
    values = {key: scored.scores[key].value if key in scored.scores else float("nan") for key in metrics}
    names = {"reference": readable(scored.reference), "distorted": readable(scored.distorted)}
    return {**names, "width": scored.width, "height": scored.height, **values}


@contextmanager
def _csv(path: Path, metrics: Sequence[str]) -> Iterator[AddRow]:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, [*FIXED, *metrics], lineterminator="\n")
        writer.writeheader()
        yield writer.writerow


@contextmanager
def _parquet(path: Path, metrics: Sequence[str]) -> Iterator[AddRow]:
    columns = {**FIXED, **dict.fromkeys(metrics, "DOUBLE")}
    cells = ", ".join(f"unnest(${place}::{kind}[])" for place, kind in enumerate(columns.values(), 1))
    rows: list[dict[str, Any]] = []
    with connect(threads=1) as connection:
        named = ", ".join(f'"{name}" {kind}' for name, kind in columns.items())
        connection.execute(f"CREATE TABLE t ({named})")

        def flush() -> None:
            if rows:
                connection.execute(f"INSERT INTO t SELECT {cells}", [[row[name] for row in rows] for name in columns])
                rows.clear()

        def add(record: dict[str, Any]) -> None:
            rows.append(record)
            if len(rows) >= ROWS:
                flush()

        try:
            yield add
        finally:
            flush()
            connection.execute(f"COPY t TO {quoted(path)} (FORMAT parquet, USE_TMP_FILE false)")
