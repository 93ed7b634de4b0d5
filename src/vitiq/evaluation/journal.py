"""Scored pairs kept on disk until all are done, so that a stopped or killed `vitiq score` goes on where it was.

One JSON line a pair, flushed as it comes, beside the table. A line is found again by what its numbers depend on: the
bytes of both files, the signatures of the metrics and the version. A line that was cut is not found, and its pair is
scored again. The file goes once all pairs have scores; where some were broken, the same command does those alone.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, BinaryIO, TypeAlias

import numpy as np

from vitiq import __version__
from vitiq.errors import InputError, TaskError
from vitiq.evaluation.scoring import Scored
from vitiq.metrics.base import Metric
from vitiq.metrics.scoring import signature_of
from vitiq.metrics.sets.rows import RowsByKey
from vitiq.types import Score

Pair: TypeAlias = tuple[Path, Path]
KEY = 64
"""Bytes of a line's key, a sha256 in hexadecimal."""


@contextmanager
def open_journal(table: Path, metrics: Sequence[Metric]) -> Iterator[Journal]:
    """The journal of the run that writes `table`; removed when the block ends, kept when something stops it
    or pairs had no scores.

    Raises:
        InputError: it cannot be written.
    """
    path = table.with_name(f".{table.name}.journal")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("a+b")
    except OSError as error:
        raise InputError(f"{table}: cannot be written ({error.strerror}); choose another output with --out") from error
    with file:
        try:
            yield (journal := Journal(file, metrics))
        except BaseException:
            if file.seek(0, os.SEEK_END) == 0:
                path.unlink()
            raise
        kept = journal.broken and file.seek(0, os.SEEK_END) > 0
    if not kept:
        path.unlink()


class Journal:
    """Lines of scored pairs in an open file.

    Attributes:
        broken: whether a pair of this run had no scores.
    """

    def __init__(self, file: BinaryIO, metrics: Sequence[Metric]) -> None:
        self._file, self.broken = file, False
        self._settings = "\n".join([__version__, *map(signature_of, metrics)])
        self._starts: dict[bytes, int] = {}
        file.seek(0)
        start, line = 0, b"\n"
        for line in file:
            if _facts(line) is not None:
                self._starts[line[:KEY]] = start
            start += len(line)
        file.write(b"" if line.endswith(b"\n") else b"\n")

    def start(self, pair: Pair) -> int | None:
        """Where the pair's line starts; None where it is still to be scored."""
        return self._starts.get(self._key(pair)) if self._starts else None

    def read(self, pair: Pair, start: int) -> Scored:
        """The pair whose line starts there, as it was scored."""
        self._file.seek(start)
        facts = _facts(self._file.readline())
        if facts is None:
            raise TaskError(f"{pair[0]} and {pair[1]}: another program changed the journal; run the command again")
        scores = {name: Score(*parts) for name, parts in facts["scores"].items()}
        reference, distorted = map(_unpacked, facts["rows"])
        width, height = facts["size"]
        return Scored(*pair, width, height, scores, (reference, distorted))

    def add(self, scored: Scored) -> None:
        """One more pair; without scores it is remembered as broken alone."""
        if scored.problem is not None:
            self.broken = True
            return
        scores = {name: (score.value, score.signature, score.details) for name, score in scored.scores.items()}
        facts = {"size": (scored.width, scored.height), "scores": scores, "rows": [*map(_packed, scored.rows)]}
        key = self._key((scored.reference, scored.distorted))
        self._file.write(key + b" " + json.dumps(facts).encode() + b"\n")
        self._file.flush()

    def _key(self, pair: Pair) -> bytes:
        """What a pair's numbers depend on; its paths where a file cannot be read, which has no scores."""
        try:
            parts = [hashlib.sha256(path.read_bytes()).hexdigest() for path in pair]
        except OSError:
            parts = [str(path) for path in pair]
        return hashlib.sha256("\n".join([self._settings, *parts]).encode()).hexdigest().encode()


def resumed(
    pairs: Sequence[Pair], journal: Journal, score: Callable[[Sequence[Pair]], Generator[Scored]]
) -> Generator[Scored]:
    """Every pair in order: from the journal, or else scored now and added to it."""
    starts = {pair: start for pair in pairs if (start := journal.start(pair)) is not None}
    with closing(score([pair for pair in pairs if pair not in starts])) as work:
        for pair in pairs:
            if pair in starts:
                yield journal.read(pair, starts[pair])
            else:
                scored = next(work)
                journal.add(scored)
                yield scored


def _facts(line: bytes) -> dict[str, Any] | None:
    """What a line holds, None where it was cut."""
    try:
        facts: dict[str, Any] = json.loads(line[KEY:])
        return facts if line.endswith(b"\n") and len(facts["rows"]) == 2 else None
    except (ValueError, KeyError, TypeError):
        return None


def _packed(rows: RowsByKey) -> dict[str, object]:
    return {
        key: value if isinstance(value, str) else (value.shape, base64.b64encode(np.float32(value).tobytes()).decode())
        for key, value in rows.items()
    }


def _unpacked(rows: dict[str, Any]) -> RowsByKey:
    return {
        key: value
        if isinstance(value, str)
        else np.frombuffer(base64.b64decode(value[1]), np.float32).reshape(value[0])
        for key, value in rows.items()
    }
