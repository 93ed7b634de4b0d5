"""Scored pairs kept on disk, so that a stopped or killed `vitiq score` or `vitiq validate` resumes.

They lie in parts, as the results of a study do, and are found again by the bytes of both files and what else their
numbers depend on. `PairStore` keeps whole pairs, with what metrics of sets need, beside the table of a folder until
every pair has scores; `KeptValues` keeps every value for good, so that a further metric is computed alone, and why one
is undefined, but no value that another try may give.
"""

from __future__ import annotations

import base64
import hashlib
import shutil
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from vitiq import __version__
from vitiq.errors import InputError, StoreError
from vitiq.evaluation.batch import as_json, score_row
from vitiq.evaluation.parts import Parts, connect, whole_rows
from vitiq.evaluation.rows import batches, fetched
from vitiq.evaluation.scoring import Pair, Scored
from vitiq.image.limits import read_bounded
from vitiq.metrics.base import Metric
from vitiq.metrics.guards import to_try_again
from vitiq.metrics.scoring import signature_of
from vitiq.metrics.sets.rows import RowsByKey
from vitiq.text import parse_json
from vitiq.types import Score

PART_SECONDS = 1.0
PAIRS_AT_ONCE = 256
WHOLE = "#pair"
"""Name of the row that says that a pair is complete, beside those of its scores."""


@contextmanager
def open_pairs(table: Path, metrics: Sequence[Metric]) -> Iterator[PairStore]:
    """The pairs of the command that writes `table`; removed when the block ends, kept when something stops it or pairs
    had no scores.

    Raises:
        InputError, StoreError: it cannot be written.
    """
    store = PairStore(table.with_name(f".{table.name}.scores"), metrics)
    with store.kept_when_stopped():
        yield store
    if store.broken:
        store.flush()
    else:
        shutil.rmtree(store.root, ignore_errors=True)


class PairRows:
    """Rows of scored pairs on their way to parts below a folder, one part a `PART_SECONDS`.

    Args:
        root: of the parts; made where it is not there.
    """

    def __init__(self, root: Path) -> None:
        self.root, self._parts = root, Parts(root)
        self._waiting: list[dict[str, Any]] = []
        self._last = time.monotonic()

    def put(self, rows: Iterable[dict[str, Any]]) -> None:
        """Rows of one more pair.

        Raises:
            StoreError: they cannot be written.
        """
        self._waiting += rows
        if time.monotonic() - self._last > PART_SECONDS:
            self.flush()

    def flush(self) -> None:
        """Write what there is."""
        self._parts.write("scores", self._waiting)
        self._waiting, self._last = [], time.monotonic()

    @contextmanager
    def kept_when_stopped(self) -> Iterator[None]:
        """What was put inside is on disk where an error or Ctrl-C ends the block."""
        try:
            yield
        except BaseException:
            with suppress(StoreError):
                self.flush()
            raise


class KeptValues(PairRows):
    """Values of pairs, each found by the bytes of its pair and the signature of its metric.

    Args:
        signatures: metric -> signature.
    """

    def __init__(self, root: Path, signatures: dict[str, str]) -> None:
        super().__init__(root)
        self.signatures = signatures

    def read(self) -> dict[str, dict[str, Score]]:
        """Key of a pair -> metric -> value or why it is undefined, those of the signatures alone."""
        found: dict[str, dict[str, Score]] = {}
        if not self._parts.files("scores"):
            return found
        with connect() as connection, whole_rows(self.root):
            self._parts.view(connection, "scores")
            again = " OR ".join(f"json_extract(details, '$.{why}') IS NOT NULL" for why in ("failed", "unavailable"))
            query = (
                "SELECT encode_key, metric, signature, value, json_extract_string(details, '$.undefined') FROM scores "
                f"WHERE NOT (isnan(value) AND ({again}))"
            )
            for key, metric, signature, value, reason in fetched(connection, query):
                if self.signatures.get(metric) == signature:
                    found.setdefault(key, {})[metric] = _value(float(value), signature, reason)
        return found

    def add(self, key: str, scored: Scored) -> None:
        """One more pair.

        Raises:
            StoreError: it cannot be written.
        """
        rows = []
        for name, score in scored.scores.items():
            if name in self.signatures and not to_try_again(score):
                kept = _value(score.value, score.signature, score.details.get("undefined"))
                rows.append(score_row(key, name, self.signatures[name], kept))
        self.put(rows)


class PairStore(PairRows):
    """Scores of pairs, each found by the bytes of its pair, all signatures and the version.

    Attributes:
        broken: whether a pair of this run had no scores.
    """

    def __init__(self, root: Path, metrics: Sequence[Metric]) -> None:
        super().__init__(root)
        self.broken = False
        self._settings = (__version__, *map(signature_of, metrics))

    def known(self) -> set[str]:
        """Keys of the complete pairs."""
        if not self._parts.files("scores"):
            return set()
        with connect() as connection, whole_rows(self.root):
            self._parts.view(connection, "scores")
            return {key for (key,) in fetched(connection, f"SELECT encode_key FROM scores WHERE metric = '{WHOLE}'")}

    def read(self, keys: Sequence[str]) -> dict[str, Scored]:
        """Complete pairs, as they were scored; without the names of their files."""
        found: dict[str, dict[str, tuple[float, str, Any]]] = {key: {} for key in keys}
        with connect() as connection, whole_rows(self.root):
            connection.execute(
                "CREATE TEMP TABLE keys AS SELECT unnest($keys::VARCHAR[]) AS encode_key", {"keys": keys}
            )
            self._parts.view(connection, "scores", "keys")
            query = "SELECT encode_key, metric, value, signature, details FROM scores ORDER BY rowid"
            for key, metric, value, signature, details in fetched(connection, query):
                found[key][metric] = (value, signature, parse_json(details))
            return {key: _scored(rows) for key, rows in found.items() if WHOLE in rows}

    def add(self, scored: Scored) -> None:
        """One more pair; without scores it is remembered as broken alone.

        Raises:
            StoreError: it cannot be written.
        """
        if scored.problem is not None:
            self.broken = True
            return
        key = self.key((scored.reference, scored.distorted))
        metadata = {
            "size": [scored.width, scored.height],
            "rows": [_packed(rows) for rows in scored.rows],
            "order": list(scored.scores),
            "notes": scored.notes,
        }
        whole = score_row(key, WHOLE, "") | {"details": as_json(metadata)}
        self.put([*(score_row(key, name, score.signature, score) for name, score in scored.scores.items()), whole])

    def key(self, pair: Pair) -> str:
        """What a pair's numbers depend on."""
        return key_of(pair, self._settings)


def key_of(pair: Pair, settings: Sequence[str] = ()) -> str:
    """Sha256 of settings and the bytes of both files; of their paths where one cannot be read, which has no scores."""
    try:
        parts = [hashlib.sha256(read_bounded(path)).hexdigest() for path in pair]
    except InputError:
        parts = [repr(path) for path in pair]
    return hashlib.sha256("\n".join([*settings, *parts]).encode()).hexdigest()


def resumed(
    pairs: Sequence[Pair], store: PairStore, score: Callable[[Sequence[Pair]], Generator[Scored]]
) -> Generator[Scored]:
    """Every pair in order: as it was kept, or else scored now and kept."""
    known = store.known()
    keys = [store.key(pair) if known else "" for pair in pairs]
    with closing(score([pair for pair, key in zip(pairs, keys, strict=True) if key not in known])) as work:
        for part in batches(zip(pairs, keys, strict=True), PAIRS_AT_ONCE):
            wanted = [key for _, key in part if key in known]
            found = store.read(wanted) if wanted else {}
            for pair, key in part:
                if key in found:
                    yield replace(found[key], reference=pair[0], distorted=pair[1], kept=True)
                    continue
                scored = next(work)
                store.add(scored)
                yield scored


def _value(value: float, signature: str, reason: object) -> Score:
    """A value without its details, which may be a thousand times as large, but for why it is undefined."""
    return Score(value, signature, {} if reason is None else {"undefined": str(reason)})


def _scored(rows: dict[str, tuple[float, str, Any]]) -> Scored:
    metadata = rows[WHOLE][2]
    scores = {name: Score(*rows[name]) for name in metadata["order"]}
    reference, distorted = map(_unpacked, metadata["rows"])
    width, height = metadata["size"]
    left, right = map(tuple, metadata.get("notes", ((), ())))
    return Scored(Path(), Path(), width, height, scores, (reference, distorted), notes=(left, right))


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
