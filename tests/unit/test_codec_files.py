"""Plans of what is made from folders: work that grows with the number of files alone.

Truth: counts of the calls that ask the file system, which a faster machine does not change.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import pytest

from vitiq.codecs import batch
from vitiq.codecs.batch import plan_decoding, plan_encoding
from vitiq.codecs.journal import Journal
from vitiq.files import same_file

PNG = b"\x89PNG\r\n\x1a\n"


@pytest.mark.parametrize("kind", ["folder", "files", "missing", "decoding"])
def test_the_file_system_is_asked_in_proportion_to_the_files(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A shell's `*.png` of 10,000 files compared each with each other would take a quarter of an hour."""

    def calls(count: int) -> int:
        folder = tmp_path / str(count)
        folder.mkdir()
        for number in range(count):
            (folder / f"{number}.png").write_bytes(PNG)
        files = sorted(folder.iterdir())
        asked = 0

        def counted(*arguments: object, **options: object) -> os.stat_result:
            nonlocal asked
            asked += 1
            found: os.stat_result = plain(*arguments, **options)
            return found

        plain: Any = os.stat
        monkeypatch.setattr(os, "stat", counted)
        compared = same_file
        monkeypatch.setattr(
            batch, "same_file", lambda first, second: bool(counted(tmp_path)) and compared(first, second)
        )
        sources = {"folder": [folder], "missing": [folder / f"gone{n}.png" for n in range(count)]}.get(kind, files)
        journal = Journal.of(tmp_path / "out", {})
        if kind == "decoding":
            plan_decoding(sources, journal, overwrite=False)
        else:
            plan_encoding(sources, journal, ".jpg", overwrite=False)
        monkeypatch.undo()
        return asked

    assert calls(160) < 5 * calls(40)


def test_resuming_takes_calls_in_proportion_to_the_files(tmp_path: Path) -> None:
    """All calls of Python and C are counted: so many more files, so many more calls, the same for each."""

    def calls(count: int) -> int:
        folder, out = tmp_path / f"in{count}", tmp_path / f"out{count}"
        folder.mkdir()
        journal = Journal.of(out, {})
        for number in range(count):
            (folder / f"{number}.png").write_bytes(PNG)
            journal.note(out / f"{number}.jpg", PNG, b"made")
            (out / f"{number}.jpg").write_bytes(b"made")
        counted = 0

        def count_call(_: object, event: str, __: object) -> None:
            nonlocal counted
            counted += event in {"call", "c_call"}

        sys.setprofile(count_call)
        try:
            batch = plan_encoding([folder], journal, ".jpg", overwrite=False)
        finally:
            sys.setprofile(None)
        assert len(batch.skipped) == count
        return counted

    calls(10)  # imports
    few, some, many = calls(50), calls(150), calls(450)
    assert (many - some) / 300 < 1.003 * (some - few) / 100
