"""What other runs on the same folder have done meanwhile, so that two of them share the work of a study.

Nobody waits for another and nothing is locked: each run takes the tasks in an order of its own (`Study.tasks`), and
reads the parts that have come since before it hands out more. What another has under way at that moment is done twice,
and counts once.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from vitiq.errors import InputError
from vitiq.evaluation.parts import Parts, connect, quoted, whole_rows
from vitiq.evaluation.rows import fetched
from vitiq.evaluation.schema import VERSION, Table

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

LOOK_SECONDS = 1.0
"""Between two looks, at least."""
SHARE = 20
"""Looks take no more than one part in so many of a run's time."""


class Others:
    """Results that were not there when this was made, and are not this run's own.

    Args:
        parts: of the store.
        signatures: metric -> signature of the scores that are asked for.
    """

    def __init__(self, parts: Parts, signatures: Mapping[str, str]) -> None:
        self._parts, self._wanted = parts, set(signatures.items())
        self._encoded: set[bytes] = set()
        self._scored: dict[bytes, set[str]] = {}
        self._known: set[str] = set()
        self._known.update(path.name for path in (*self._fresh("encodes"), *self._fresh("scores")))
        self._next = time.monotonic() + LOOK_SECONDS
        self._connection: DuckDBPyConnection | None = None

    def metrics(self, key: bytes, before: set[str] | None) -> set[str] | None:
        """Metrics that an encode has by now; None where it has no file.

        Args:
            before: those that it had when this run began, likewise.
        """
        if before is None and key not in self._encoded:
            return None
        return (before or set()) | self._scored.get(key, set())

    def look(self) -> None:
        """Read what has come, if it is time to."""
        start = time.monotonic()
        if start < self._next:
            return
        with suppress(InputError, OSError):  # a part that was merged away meanwhile: a look saves work, no more
            self._read()
        now = time.monotonic()
        self._next = now + max(LOOK_SECONDS, SHARE * (now - start))

    def _fresh(self, table: Table) -> list[Path]:
        files = self._parts.files(table).get(VERSION, [])
        return [path for path in files if path.name not in self._known and path.name not in self._parts.own]

    def _read(self) -> None:
        encodes, scores = self._fresh("encodes"), self._fresh("scores")
        self._encoded.update(bytes.fromhex(key) for (key,) in self._rows(encodes, "encode_key"))
        for key, *score in self._rows(scores, "encode_key, metric, signature"):
            if tuple(score) in self._wanted:
                self._scored.setdefault(bytes.fromhex(key), set()).add(score[0])
        self._known.update(path.name for path in (*encodes, *scores))

    def _rows(self, paths: Sequence[Path], columns: str) -> Iterator[tuple[str, ...]]:
        """Rows without an error."""
        import duckdb  # noqa: PLC0415 - slow to import

        if not paths:
            return
        files = ", ".join(map(quoted, paths))
        try:
            if self._connection is None:
                self._connection = connect(threads=1)
            with whole_rows(self._parts.root):
                query = f"SELECT {columns} FROM read_parquet([{files}]) WHERE error IS NULL"
                yield from fetched(self._connection, query)
        except duckdb.IOException as error:
            raise InputError(str(error)) from error
