"""Columns of the two tables that a study's results are kept in, and how parts of an older version are read.

Encodes have one row an encode key; scores are a long table, one row an encode key and a metric, so that a new metric
adds rows and never a column. A part of version n lies under `store/vn`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, TypeAlias

Table: TypeAlias = Literal["encodes", "scores"]

MAIN, MAIN_APART = "main", "main-apart"
"""Groups of the main codec's files: of the size that others are compared at, or where that size was given apart."""

VERSION = 1
"""Version of the columns below, and part of every key."""

COLUMNS: Mapping[Table, Mapping[str, str]] = {
    "encodes": {
        "encode_key": "VARCHAR",
        "image_sha256": "VARCHAR",
        "codec": "VARCHAR",
        "label": "VARCHAR",
        "settings": "VARCHAR",
        "rate_kind": "VARCHAR",
        "rate_value": "DOUBLE",
        "quality": "DOUBLE",
        "reached": "BOOLEAN",
        "width": "INTEGER",
        "height": "INTEGER",
        "bytes": "BIGINT",
        "encode_seconds": "DOUBLE",
        "decode_seconds": "DOUBLE",
        "notes": "VARCHAR",
        "error": "VARCHAR",
        "details": "VARCHAR",
        "written": "DOUBLE",
    },
    "scores": {
        "encode_key": "VARCHAR",
        "metric": "VARCHAR",
        "signature": "VARCHAR",
        "value": "DOUBLE",
        "details": "VARCHAR",
        "error": "VARCHAR",
        "written": "DOUBLE",
    },
}
"""Name and DuckDB type of each column. `settings`, `notes` and `details` are JSON; `written` is seconds since 1970."""

MIGRATIONS: dict[int, Mapping[Table, Mapping[str, str]]] = {}
"""Older version -> table -> column of today -> SQL expression over that version's columns, for the columns that are
not there under their name of today. A new column needs one too, if only NULL."""


def selection(table: Table, version: int) -> str:
    """The SELECT list that reads a part of a version as today's columns."""
    if version == VERSION:
        return ", ".join(f'"{name}"' for name in COLUMNS[table])
    changed = MIGRATIONS.get(version, {}).get(table, {})
    cells = (
        f'CAST({changed.get(name, chr(34) + name + chr(34))} AS {kind}) AS "{name}"'
        for name, kind in COLUMNS[table].items()
    )
    return ", ".join(cells)
