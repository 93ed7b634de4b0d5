"""Rows of the store and what they become: records, wide tables for people, and what is still to be done."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from vitiq.evaluation.parts import AS_PARQUET, Parts, cannot_write, connect, quoted, whole_rows
from vitiq.evaluation.record import Record
from vitiq.evaluation.standing import Standing
from vitiq.evaluation.study import Study
from vitiq.files import named_at_end
from vitiq.text import parse_json
from vitiq.types import Score

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

T = TypeVar("T")
Kept: TypeAlias = Callable[[Mapping[str, Any]], Mapping[str, Any]]
"""What is kept of the details of a score."""

ROWS = 5000
"""Rows that go to or come from DuckDB at once."""
TASKS = {
    "position": "BIGINT",
    "encode_key": "VARCHAR",
    "image": "VARCHAR",
    "grouped": "VARCHAR",
    "kind": "VARCHAR",
    "asked": "DOUBLE",
    "original_bytes": "BIGINT",
    "read_notes": "VARCHAR",
}
"""Columns of the tasks of a study, as `join` makes them."""
FIXED = ("image", "codec", "quality", "width", "height", "bytes", "bpp", "encode_seconds", "decode_seconds")
"""First columns of the wide tables; one a metric follows."""
ALL_NOTES = (
    """CAST(to_json(list_concat(from_json(read_notes, '["VARCHAR"]'), from_json(notes, '["VARCHAR"]'))) AS VARCHAR)"""
    " AS notes"
)
"""What reading an image changed, which the study knows, and what its encode noted, as one list."""
KEPT_DETAILS = (
    "CAST(json_object('versions', json_extract(e.details, '$.versions'), 'optimised_against', "
    "coalesce(json_extract(e.details, '$.optimised_against'), '[]'::JSON)) AS VARCHAR)"
)
"""Of the details of an encode: versions, and what tables mark numbers by."""


@dataclass(frozen=True, slots=True)
class Done:
    """What a store has of the scores that are asked for.

    Attributes:
        complete: keys of encodes with every score, as bytes.
        encoded: the other keys with a file: the metrics that they have.
    """

    complete: set[bytes]
    encoded: dict[bytes, set[str]]


def read_done(parts: Parts, signatures: Mapping[str, str]) -> Done:
    """What a store has.

    Args:
        signatures: metric -> signature of the scores that are asked for.
    """
    with connect() as connection, whole_rows(parts.root):
        parts.view(connection, "encodes")
        parts.view(connection, "scores")
        _signatures(connection, signatures)
        connection.execute(
            "CREATE TEMP TABLE good AS SELECT encode_key AS k, count(s.metric) AS n FROM encodes e LEFT JOIN "
            "(SELECT * FROM scores SEMI JOIN wanted USING (metric, signature) WHERE error IS NULL) s "
            "USING (encode_key) WHERE e.error IS NULL GROUP BY encode_key"
        )
        complete = set()
        encoded: dict[bytes, set[str]] = {}
        for key, count in fetched(connection, "SELECT k, n FROM good"):
            if count == len(signatures):
                complete.add(bytes.fromhex(key))
            else:
                encoded[bytes.fromhex(key)] = set()
        if encoded:
            left = (
                f"SELECT encode_key, metric FROM scores SEMI JOIN wanted USING (metric, signature) SEMI JOIN "
                f"(SELECT k AS encode_key FROM good WHERE n < {len(signatures)}) USING (encode_key) WHERE error IS NULL"
            )
            for key, metric in fetched(connection, left):
                encoded[bytes.fromhex(key)].add(metric)
    return Done(complete, encoded)


def _signatures(connection: DuckDBPyConnection, signatures: Mapping[str, str]) -> None:
    connection.execute(
        "CREATE TEMP TABLE wanted AS SELECT unnest($metrics::VARCHAR[]) AS metric, "
        "unnest($signatures::VARCHAR[]) AS signature",
        {"metrics": list(signatures), "signatures": list(signatures.values())},
    )


def join(connection: DuckDBPyConnection, parts: Parts, study: Study) -> None:
    """Make the tables `tasks`, `encodes` and `scores` of a study in a connection."""
    connection.execute(f"CREATE TEMP TABLE tasks ({', '.join(f'{name} {kind}' for name, kind in TASKS.items())})")
    cells = ", ".join(f"unnest(${name}::{kind}[])" for name, kind in TASKS.items())
    for rows in batches(_task_rows(study), ROWS):
        columns = dict(zip(TASKS, map(list, zip(*rows, strict=True)), strict=True))
        connection.execute(f"INSERT INTO tasks SELECT {cells}", columns)
    parts.view(connection, "encodes", "tasks")
    parts.view(connection, "scores", "tasks")
    _signatures(connection, study.signatures)
    connection.execute("DELETE FROM scores WHERE (metric, signature) NOT IN (FROM wanted)")
    connection.execute(
        "CREATE TEMP TABLE lost AS SELECT encode_key, string_agg(names || ': ' || error, '; ' ORDER BY names) AS lost "
        "FROM (SELECT encode_key, error, string_agg(metric, ', ' ORDER BY metric) AS names FROM scores "
        "WHERE error IS NOT NULL GROUP BY encode_key, error) GROUP BY encode_key"
    )
    connection.execute("DELETE FROM scores WHERE error IS NOT NULL")


def _task_rows(study: Study) -> Iterator[tuple[Any, ...]]:
    for position, task in enumerate(study.tasks()):
        image, series = study.images[task.image], study.series[task.series]
        notes = json.dumps(image.notes)
        yield position, task.key, image.name, series.group, task.kind, task.value, image.bytes, notes


def read_records(parts: Parts, study: Study, *, details: bool = True, kept: Kept = dict) -> list[Record]:
    """Records of a study in its order; those that failed are among them, those still to be done are not.

    Args:
        details: False leaves out those of encodes, but for versions and what they were optimised against, and of scores
            that are finite.
        kept: what is kept of a score's details.
    """
    with connect() as connection, whole_rows(parts.root):
        join(connection, parts, study)
        scores = _scores(connection, study.metrics, "true" if details else "NOT isfinite(value)", kept)
        shown = "e.details" if details else KEPT_DETAILS
        query = (
            f"SELECT encode_key, image, image_sha256, codec, label, settings, kind, asked, quality, reached, width, "
            f"height, bytes, encode_seconds, decode_seconds, notes, error, lost, read_notes, grouped, "
            f"original_bytes, {shown} FROM tasks JOIN encodes e USING (encode_key) LEFT JOIN lost USING (encode_key) "
            "ORDER BY position"
        )
        parse = parse_json if details else lru_cache(maxsize=None)(parse_json)  # of few codecs, for many files
        return [_record(row, scores.get(row[0], {}), parse(row[-1])) for row in fetched(connection, query)]


def read_standing(parts: Parts, study: Study) -> Standing:
    """How far a study is, as `standing` of all its records, which are only counted here."""
    counted = (
        "SELECT count(*), count(*) FILTER (error IS NULL), "
        f"count(*) FILTER (error IS NULL AND coalesce(own, 0) = {len(study.signatures)}), "
        "count(*) FILTER (error IS NOT NULL OR lost IS NOT NULL) FROM tasks JOIN encodes USING (encode_key) "
        "LEFT JOIN lost USING (encode_key) "
        "LEFT JOIN (SELECT encode_key, count(*) AS own FROM scores GROUP BY encode_key) USING (encode_key)"
    )
    scored = (
        "SELECT metric, count(*) FROM (SELECT encode_key FROM tasks JOIN encodes USING (encode_key) "
        "WHERE error IS NULL) JOIN scores USING (encode_key) GROUP BY metric"
    )
    with connect() as connection, whole_rows(parts.root):
        join(connection, parts, study)
        ((records, files, done, failed),) = fetched(connection, counted)
        have = dict(fetched(connection, scored))
    lacking = {name: files - have.get(name, 0) for name in study.signatures}
    unscored = {name: count for name, count in lacking.items() if count}
    return Standing(len(study), done, failed, len(study) - records, files, unscored)


def _scores(
    connection: DuckDBPyConnection, order: Sequence[str], detailed: str, kept: Kept
) -> dict[str, dict[str, Score]]:
    found: dict[str, dict[str, Score]] = {}
    query = f"SELECT encode_key, metric, value, signature, CASE WHEN {detailed} THEN details END FROM scores"
    for key, metric, value, signature, text in fetched(connection, query):
        details = {} if text is None or text == "{}" else kept(parse_json(text))
        found.setdefault(key, {})[metric] = Score(value, sys.intern(signature), details)
    places = {name: place for place, name in enumerate(order)}
    return {key: dict(sorted(own.items(), key=lambda item: places.get(item[0], 0))) for key, own in found.items()}


def _record(row: Sequence[Any], scores: Mapping[str, Score], details: Mapping[str, Any]) -> Record:
    (
        key,
        image,
        sha256,
        codec,
        label,
        settings,
        kind,
        asked,
        quality,
        reached,
        width,
        height,
        size,
        encode,
        decode,
        *rest,
    ) = row
    notes, error, unscored, read_notes, group, original, _ = rest
    return Record(
        key=key,
        image=image,
        image_sha256=sha256,
        codec=codec,
        label=label,
        settings=parse_json(settings),
        rate_kind=kind,
        rate_value=asked,
        quality=quality,
        reached=bool(reached),
        width=width,
        height=height,
        bytes=size,
        bpp=size * 8 / (width * height) if size else float("nan"),
        encode_seconds=encode,
        decode_seconds=decode,
        scores=scores,
        notes=(*parse_json(read_notes), *parse_json(notes)),
        error=error,
        details={**details, "group": group, "original_bytes": original},
        unscored=None if error else unscored,
    )


def write_tables(parts: Parts, study: Study, out: Path) -> None:
    """Write OUT/records.parquet and OUT/records.csv: one row a finished task, one column a metric.

    Raises:
        StoreError: they cannot be written.
    """
    import duckdb  # noqa: PLC0415

    with connect() as connection, whole_rows(parts.root):
        join(connection, parts, study)
        metrics = [name for name in study.metrics if name in study.signatures]
        values = "".join(f', max(value) FILTER (metric = {_text(name)}) AS "{name}"' for name in metrics)
        pairs = ", ".join(f"{_text(name)}, max(signature) FILTER (metric = {_text(name)})" for name in metrics)
        signatures = f"CAST(json_merge_patch('{{}}', json_object({pairs})) AS VARCHAR)"  # without what has none
        connection.execute(
            f"CREATE TEMP TABLE own AS SELECT encode_key{values}, {signatures} AS signatures FROM scores "
            "GROUP BY encode_key"
        )
        kept = {"bitstreams": "json_extract_string(details, '$.extension')", "reconstructions": "'.png'"}
        paths = "".join(
            f", CASE WHEN error IS NULL AND json_extract_string(details, '$.kept') LIKE '%{kind}%' THEN "
            f"'{kind}/' || encode_key[1:2] || '/' || encode_key || {suffix} END AS {kind[:-1]}"
            for kind, suffix in kept.items()
        )
        columns = "".join(f', "{name}"' for name in metrics)
        query = (
            f"SELECT image, codec, quality, width, height, bytes, CASE WHEN error IS NULL THEN bytes * 8 / "
            f"(CAST(width AS DOUBLE) * height) END AS bpp, encode_seconds, decode_seconds"
            f'{columns}, label, grouped AS "group", kind AS rate_kind, '
            f"asked AS rate_value, reached, coalesce(error, lost) AS error, original_bytes{paths}, {ALL_NOTES}, "
            f"settings, signatures, CAST(json_extract(details, '$.versions') AS VARCHAR) AS versions, details, "
            f"encode_key AS key FROM tasks JOIN encodes USING (encode_key) "
            f"LEFT JOIN own USING (encode_key) "
            f"LEFT JOIN lost USING (encode_key) "
            f"ORDER BY position"
        )
        for suffix, form in (("parquet", AS_PARQUET), ("csv", "(FORMAT csv, HEADER, USE_TMP_FILE false)")):
            table = out / f"records.{suffix}"
            try:
                with named_at_end(table) as part:
                    connection.execute(f"COPY ({query}) TO {quoted(part)} {form}")
            except (OSError, duckdb.Error) as error:
                if not _is_newest(table, out):  # else a finished folder that is read-only
                    raise cannot_write(table, error) from error


def tables_are_newest(out: Path) -> bool:
    """Whether both tables were written after every row and every study of a folder."""
    return all(_is_newest(out / f"records.{suffix}", out) for suffix in ("parquet", "csv"))


def _is_newest(table: Path, out: Path) -> bool:
    """Whether a table was written after every row and every study of a folder."""
    try:
        written = table.stat().st_mtime_ns
        made = [path.stat().st_mtime_ns for place in ("store", "studies") for path in (out / place).rglob("*")]
        return written >= max([(out / "study.json").stat().st_mtime_ns, *made])
    except OSError:
        return False


def fetched(connection: DuckDBPyConnection, query: str) -> Iterator[tuple[Any, ...]]:
    """Rows of a query, not all in memory at once; the connection does nothing else meanwhile."""
    connection.execute(query)
    while found := connection.fetchmany(ROWS):
        yield from found


def batches(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """Lists of `size` items, the last one shorter."""
    batch: list[T] = []
    for item in items:
        batch.append(item)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"
