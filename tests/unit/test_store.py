"""Parts of the store: what is written is read, once a key, whatever stops a writer.

Truth: the rows that were written.
"""

from __future__ import annotations

import ctypes
import errno
import hashlib
import math
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from vitiq import files
from vitiq.errors import InputError, StoreError
from vitiq.evaluation import schema
from vitiq.evaluation.parts import Parts, cannot_write, connect, synchronise_files
from vitiq.evaluation.rows import read_records
from vitiq.evaluation.schema import COLUMNS
from vitiq.evaluation.standing import Standing, standing
from vitiq.evaluation.store import Store
from vitiq.evaluation.study import Series, Study, StudyImage


def score(
    key: str, value: float, *, error: str | None = None, written: float = 1.0, details: str = "{}"
) -> dict[str, Any]:
    answer = {"metric": "mse", "signature": "mse|v1", "value": value, "details": details, "error": error}
    return {"encode_key": key, **answer, "written": written}


def study() -> Study:
    image = StudyImage("a.png", "/a.png", "ab" * 32, 4, 3, 99)
    series = Series("jpeg", "{}", "JPEG", "JPEG", ".jpg", rates=(("quality", 10.0),))
    return Study((image,), (series,), ("mse",), {"mse": "mse|v1"})


def rows(store: Parts, keys: list[str] | None = None) -> dict[str, tuple[float, str | None]]:
    with connect() as connection:
        if keys is not None:
            connection.execute("CREATE TEMP TABLE keys AS SELECT unnest($k::VARCHAR[]) AS encode_key", {"k": keys})
        store.view(connection, "scores", None if keys is None else "keys")
        found = connection.execute("SELECT encode_key, value, error FROM scores ORDER BY encode_key").fetchall()
    assert len({row[0] for row in found}) == len(found)
    return {key: (value, error) for key, value, error in found}


@pytest.mark.parametrize("folder", ["plain", "with [1] and * and 'quotes'", "Straße ☃"])
def test_rows_come_back_whatever_the_folder_is_called(tmp_path: Path, folder: str) -> None:
    store = Parts(tmp_path / folder)
    assert rows(store) == {}
    details = '{"a": [1, 2], "text": "☃ \\"quoted\\""}'
    store.write("scores", [score("a", math.inf, details=details), score("b", math.nan)])
    store.write("scores", [score("c", 0.1)])
    assert store.write("scores", []) is None
    found = rows(store)
    assert found["a"] == (math.inf, None)
    assert math.isnan(found["b"][0])
    assert found["c"] == (0.1, None)
    assert set(rows(store, ["c", "d"])) == {"c"}
    assert len(store.files("scores")[schema.VERSION]) == 2
    with connect() as connection:
        store.view(connection, "scores")
        assert connection.execute("SELECT details FROM scores WHERE encode_key = 'a'").fetchall() == [(details,)]


def test_a_success_counts_before_a_failure_and_the_earlier_before_the_later(tmp_path: Path) -> None:
    store = Parts(tmp_path)
    store.write("scores", [score("a", math.nan, error="broken", written=1), score("b", 1, written=2)])
    store.write("scores", [score("a", 3, written=5), score("b", 4, written=1), score("c", math.nan, error="x")])
    assert rows(store) | {"c": None} == {"a": (3, None), "b": (4, None), "c": None}
    assert rows(store)["c"][1] == "x"


def test_merged_parts_hold_the_same(tmp_path: Path) -> None:
    store = Parts(tmp_path)
    for i in range(20):
        store.write("scores", [score(f"k{i % 7}", i, written=i)])
    before = rows(store)
    assert store.compact() == 20
    assert rows(store) == before
    assert len(store.files("scores")[schema.VERSION]) == 1
    assert store.compact() == 0


def test_a_part_that_is_merged_away_while_read_is_no_loss(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store, other = Parts(tmp_path), Parts(tmp_path)
    for i in range(3):
        store.write("scores", [score(f"k{i}", i)])
    files = Parts.files
    listed: list[object] = []

    def stale(self: Parts, table: schema.Table) -> dict[int, list[Path]]:
        found = files(self, table)
        if self is store and not listed:
            listed.append(found)
            other.compact()
        return found

    monkeypatch.setattr(Parts, "files", stale)
    assert set(rows(store)) == {"k0", "k1", "k2"}


def test_parts_may_be_merged_while_a_part_beside_them_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The writer holds a file without a name in the folder of the only part that is merged away there."""
    store, other = Parts(tmp_path), Parts(tmp_path)
    for i in range(3):
        store.write("scores", [score(f"k{i}", i)])
    folders = {path.parent.name for path in store.files("scores")[schema.VERSION]}

    class Merging:
        """A connection that writes into the folder of a part, which goes before the new one has its name."""

        def execute(self, query: str, values: object = None) -> None:
            with connect() as connection:
                connection.execute(query, values)
            other.compact()

    monkeypatch.setattr(store, "_writing", Merging())
    digest = type("Digest", (), {"hexdigest": lambda _: min(folders)})()
    with monkeypatch.context() as patch:
        patch.setattr(hashlib, "sha256", lambda _: digest)
        store.write("scores", [score("k3", 3)])
    assert set(rows(store)) == {"k0", "k1", "k2", "k3"}


@pytest.mark.parametrize("call", ["execute", "fsync", "link", "rename"])
def test_a_full_disk_is_one_clear_error_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    store = Parts(tmp_path)
    store.write("scores", [score("a", 1)])
    full = OSError(errno.ENOSPC, "No space left on device")

    def fail(*_: object, **__: object) -> None:
        raise full

    with monkeypatch.context() as patch:
        if call == "fsync":
            patch.setattr(os, "fsync", fail)
        elif call == "link":
            patch.setattr(os, "link", fail)
        elif call == "rename":  # of file systems that know no files without a name
            patch.setattr(files, "_without_name", lambda _: None)
            patch.setattr(Path, "replace", fail)
        else:
            patch.setattr(store, "_writing", Broken(full))
        with pytest.raises(StoreError, match=r"No space left on device.*resumes"):
            store.write("scores", [score("b", 2)])
    assert store.half_made() == []
    assert rows(store) == {"a": (1, None)}
    store._writing = None
    store.write("scores", [score("b", 2)])
    assert set(rows(store)) == {"a", "b"}


class Broken:
    """A connection whose every write fails."""

    def __init__(self, error: OSError) -> None:
        self._error = error

    def execute(self, *_: object) -> None:
        raise self._error


@pytest.mark.skipif(sys.platform != "linux", reason="syncfs(2) is Linux's")
def test_a_disk_that_loses_files_is_no_success(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """syncfs(2) returns -1 with EIO where a write since the last call failed (Linux 5.8 and later)."""

    class Library:
        """A C library on a broken disk."""

        def __init__(self, *_: object, **__: object) -> None:
            pass

        def syncfs(self, _: int) -> int:
            ctypes.set_errno(errno.EIO)
            return -1

    monkeypatch.setattr(ctypes, "CDLL", Library)
    with pytest.raises(StoreError, match="Input/output error"):
        synchronise_files(tmp_path)


def test_parts_of_an_older_version_are_read_as_todays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As if the score had been called `number`, in thousandths, and had known no error."""
    older = schema.VERSION - 1
    folder = tmp_path / f"v{older}" / "scores" / "00"
    folder.mkdir(parents=True)
    with connect() as connection:
        connection.execute(
            "COPY (SELECT 'a' AS encode_key, 'mse' AS metric, 's' AS signature, 1500 AS number, '{}' AS details, "
            f"1 AS written) TO '{folder / 'old.parquet'}' (FORMAT parquet)"
        )
    store = Parts(tmp_path)
    with pytest.raises(InputError, match=f"version {older} given, version {schema.VERSION} expected"):
        rows(store)
    monkeypatch.setitem(schema.MIGRATIONS, older, {"scores": {"value": "number / 1000.0", "error": "NULL"}})
    store.write("scores", [score("b", 2)])
    assert rows(store) == {"a": (1.5, None), "b": (2, None)}
    store.compact()
    assert list(store.files("scores")) == [schema.VERSION]
    assert rows(store) == {"a": (1.5, None), "b": (2, None)}


def test_parts_of_a_newer_version_are_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "v99" / "scores" / "00").mkdir(parents=True)
    with pytest.raises(InputError, match=f"version 99 given, version {schema.VERSION} expected"):
        rows(Parts(tmp_path))


def test_a_damaged_part_is_named(tmp_path: Path) -> None:
    store = Parts(tmp_path)
    path = store.write("scores", [score("a", 1)])
    assert path is not None
    path.write_bytes(b"PAR1 nonsense")
    with pytest.raises(InputError, match=path.name):
        rows(store)


def test_the_schema_is_this() -> None:
    """Changing it needs a new version and a migration."""
    assert schema.VERSION == 1
    encodes = (
        "encode_key image_sha256 codec label settings rate_kind rate_value quality reached width height bytes "
        "encode_seconds decode_seconds notes error details written"
    )
    assert " ".join(COLUMNS["encodes"]) == encodes
    assert " ".join(COLUMNS["scores"]) == "encode_key metric signature value details error written"


def test_parts_that_hold_something_else_are_named(tmp_path: Path) -> None:
    """Cut, of another kind, or with a cell that is no JSON: one line that says what to do, never a traceback."""
    store = Parts(tmp_path / "store")
    part = store.write("scores", [score("a", 1.0)])
    assert part is not None
    whole = part.read_bytes()
    for damaged in (b"", b"no parquet", whole[:-9], whole[:40] + bytes(200) + whole[240:]):
        part.write_bytes(damaged)
        with pytest.raises(InputError, match=r"store: results cannot be read .+ remove the damaged part"):
            rows(store)
    part.write_bytes(whole)
    store.write("scores", [score(next(study().tasks()).key, 1.0, details="{no JSON")])
    with pytest.raises(InputError, match="results cannot be read"):
        read_records(store, study())


@pytest.mark.parametrize(("number", "said"), [(errno.ENOTDIR, "choose another"), (errno.ENOSPC, "free some space")])
def test_the_advice_fits_the_failure(number: int, said: str) -> None:
    assert said in str(cannot_write(Path("out"), OSError(number, os.strerror(number))))


@pytest.mark.parametrize(
    ("key", "suffix"),
    [("../" * 8 + "etc/passwd", ""), ("ab" * 32, "/../../x"), ("AB" * 32, ".png"), ("", ".png"), ("ab" * 31, ".png")],
)
def test_a_key_or_suffix_that_could_lead_out_of_the_folder_is_refused(tmp_path: Path, key: str, suffix: str) -> None:
    """Both are read from rows and studies, which may be somebody else's."""
    store = Store(tmp_path)
    with pytest.raises(InputError, match="64 hexadecimal digits"):
        store.path("originals", key, suffix)
    assert store.path("bitstreams", "ab" * 32, ".jpg") == tmp_path / "bitstreams" / "ab" / f"{'ab' * 32}.jpg"


def test_a_study_is_counted_as_its_records_are(tmp_path: Path) -> None:
    image = StudyImage("a.png", "/a.png", "ab" * 32, 4, 3, 99)
    rates = tuple(("quality", float(quality)) for quality in range(10, 70, 10))
    series = Series("jpeg", "{}", "JPEG", "JPEG", ".jpg", rates=rates)  # type: ignore[arg-type]
    asked = Study((image,), (series,), ("mse", "ssim"), {"mse": "mse|v1", "ssim": "ssim|v1"})
    store = Store(tmp_path)
    whole, lacking, unscored, other, failed, _ = (task.key for task in asked.tasks())
    row = dict.fromkeys(COLUMNS["encodes"]) | {"image_sha256": "ab" * 32, "codec": "jpeg", "label": "JPEG"}
    row |= {"settings": "{}", "rate_kind": "quality", "notes": "[]", "details": "{}", "written": 1.0}
    row |= {"width": 4, "height": 3, "bytes": 9}
    made = [row | {"encode_key": key} for key in (whole, lacking, unscored, other)]
    store.parts.write("encodes", [*made, row | {"encode_key": failed, "bytes": 0, "error": "broken"}])
    mse = [score(key, 1.0) for key in (whole, lacking, unscored, other)]
    ssim = score(whole, 0.5) | {"metric": "ssim", "signature": "ssim|v1"}
    of_another_version = ssim | {"encode_key": other, "signature": "ssim|v0"}
    broken = ssim | {"encode_key": unscored, "value": math.nan, "error": "out of memory"}
    store.parts.write("scores", [*mse, ssim, of_another_version, broken])
    found = store.standing(asked)
    assert found == Standing(tasks=6, done=1, failed=2, waiting=1, files=4, unscored={"ssim": 3})
    assert found == standing(asked, store.records(asked))
    none = Study((image,), (series,), ())
    assert store.standing(none) == standing(none, store.records(none))
