"""Records of pairs as CSV or Parquet."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeAlias

from vitiq.errors import InputError, first_line
from vitiq.evaluation.batch import as_json, versions
from vitiq.evaluation.parts import connect, quoted
from vitiq.evaluation.scoring import Scored
from vitiq.evaluation.study import readable
from vitiq.files import output_path

FIXED = {"reference": "VARCHAR", "distorted": "VARCHAR", "width": "INTEGER", "height": "INTEGER"}
RECORDED = {"signatures": "VARCHAR", "versions": "VARCHAR"}
"""Last columns, JSON: metric -> signature, and versions of what computed the numbers; as in a study's records."""
SUFFIXES = (".csv", ".parquet")
ROWS = 1000
"""Rows kept in memory before a Parquet table takes them."""

AddRow: TypeAlias = Callable[[dict[str, Any]], object]


@contextmanager
def open_table(path: Path, metrics: Sequence[str]) -> Iterator[Callable[[Scored], object]]:
    """Takes records, one row each: the columns `FIXED`, one a metric, NaN where it is not defined, and `RECORDED`.

    The file stands under its name once the block ends; after Ctrl-C it holds the rows so far, unless there is another
    file, which may have more.

    Args:
        path: ends with .csv or .parquet.
        metrics: names of the metrics.

    Raises:
        InputError: another suffix, or the file cannot be written.
    """
    import duckdb  # noqa: PLC0415

    _check_suffix(path)
    count = 0

    def added(scored: Scored) -> None:
        nonlocal count
        add(row(scored, metrics))
        count += 1

    write = _csv if path.suffix.lower() == ".csv" else _parquet
    stopped: KeyboardInterrupt | None = None
    try:
        with output_path(path) as part:
            try:
                with write(part, metrics) as add:
                    yield added
            except KeyboardInterrupt as error:
                if _is_longer(path, metrics, count):
                    raise
                stopped = error
    except duckdb.Error as error:
        raise InputError(f"{path}: cannot be written ({first_line(error)}); choose another output") from error
    if stopped is not None:
        raise stopped


def check_table(path: Path, metrics: Sequence[str], pairs: Iterable[tuple[Path, Path]], *, force: bool) -> None:
    """Refuse a name that no table can have, and to replace any file but a table of the same metrics and pairs.

    Args:
        metrics: names of the metrics of pairs.
        pairs: what will be in the table; a table of some of them was made by the same command, perhaps stopped.

    Raises:
        InputError: another suffix; or there is another file, unless `force`.
    """
    _check_suffix(path)
    if force or not path.is_file() or not path.stat().st_size:
        return
    found = _read(path)
    if found is None:
        raise InputError(f"{path}: exists already and is no table of vitiq's; give --force, or another name to --out")
    columns, rows = found
    asked = {(readable(reference), readable(distorted)) for reference, distorted in pairs}
    other = "metrics" if columns not in _headers(metrics) else "" if asked.issuperset(rows) else "pairs"
    if other:
        raise InputError(
            f"{path}: exists already and is a table of other {other}; give --force, or another name to --out"
        )


def _is_longer(path: Path, metrics: Sequence[str], count: int) -> bool:
    """Whether a file is there that a table of so many rows of a stopped command must not replace."""
    if not path.is_file() or not path.stat().st_size:
        return False
    found = _read(path)
    return found is None or found[0] not in _headers(metrics) or len(found[1]) > count


def _headers(metrics: Sequence[str]) -> tuple[list[str], list[str]]:
    """Columns of a table of these metrics: as they are written, and as they were before 0.2.0."""
    return [*FIXED, *metrics, *RECORDED], [*FIXED, *metrics]


def _check_suffix(path: Path) -> None:
    if path.suffix.lower() not in SUFFIXES:
        raise InputError(f"{path}: a table of records ends with {' or '.join(SUFFIXES)}")


def _read(path: Path) -> tuple[list[str], list[tuple[str, str]]] | None:
    """Columns of a table of records and the pairs in it; None for any other file."""
    import duckdb  # noqa: PLC0415

    try:
        if path.suffix.lower() != ".parquet":
            with path.open(newline="", encoding="utf-8") as file:
                lines = csv.reader(file)
                columns = next(lines, [])
                rows = [(line[0], line[1]) for line in lines] if columns[: len(FIXED)] == list(FIXED) else []
        else:
            with connect() as database:
                source = quoted(path)
                columns = [name for name, *_ in database.execute(f"DESCRIBE SELECT * FROM {source}").fetchall()]
                rows = database.execute(f"SELECT reference, distorted FROM {source}").fetchall()
    except (duckdb.Error, csv.Error, OSError, ValueError, IndexError):
        return None
    return (columns, rows) if columns[: len(FIXED)] == list(FIXED) else None


def row(scored: Scored, metrics: Sequence[str]) -> dict[str, Any]:
    """The columns of one record."""
    values = {key: scored.scores[key].value if key in scored.scores else float("nan") for key in metrics}
    names = {"reference": readable(scored.reference), "distorted": readable(scored.distorted)}
    signatures = {key: scored.scores[key].signature for key in metrics if key in scored.scores}
    recorded = {"signatures": as_json(signatures), "versions": as_json(versions())}
    return {**names, "width": scored.width, "height": scored.height, **values, **recorded}


@contextmanager
def _csv(path: Path, metrics: Sequence[str]) -> Iterator[AddRow]:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, _headers(metrics)[0], lineterminator="\n")
        writer.writeheader()
        yield writer.writerow


@contextmanager
def _parquet(path: Path, metrics: Sequence[str]) -> Iterator[AddRow]:
    columns = {**FIXED, **dict.fromkeys(metrics, "DOUBLE"), **RECORDED}
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
