"""Tables as a reader of ours would open them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb


def parquet_rows(path: Path) -> list[dict[str, Any]]:
    """Rows of a Parquet file."""
    with duckdb.connect() as connection:
        connection.execute("SELECT * FROM read_parquet(?)", [str(path)])
        names = [column[0] for column in connection.description or ()]
        return [dict(zip(names, row, strict=True)) for row in connection.fetchall()]
