"""Folders through a codec: work that grows with the number of files alone, and full disks.

Truth: counts of the calls that ask the file system, which a faster machine does not change; write(2) and fsync(2).
"""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from program import Vitiq
from vitiq.cli.score_maps import map_drawn
from vitiq.codecs import batch
from vitiq.codecs.batch import Skipped, plan_decoding, plan_encoding
from vitiq.codecs.classical.pillow import Jpeg
from vitiq.codecs.files import EncodedFile, encode_image
from vitiq.codecs.folders import Failed, encode_files
from vitiq.codecs.journal import Journal, State
from vitiq.errors import InputError
from vitiq.evaluation.metric_spec import MetricSpec
from vitiq.evaluation.scoring import Scored
from vitiq.files import open_output, same_file
from vitiq.image.io import write_png
from vitiq.report import maps
from vitiq.types import ImageU8

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


def test_an_output_whose_name_is_too_long_stops_no_other(tmp_path: Path) -> None:
    """With the input's suffix kept, a stem of 251 bytes and `.jpg` are more than the 255 bytes of a name."""
    for name in ("a.png", "y" * 251 + ".png", "y" * 251 + ".bmp", "z.png"):
        (tmp_path / "in" / name).parent.mkdir(exist_ok=True)
        Image.new("RGB", (8, 8)).save(tmp_path / "in" / name)
    for made in (EncodedFile, Skipped):  # at first, and when repeated
        found = list(encode_files([tmp_path / "in"], tmp_path / "out", codec="jpeg", jobs=1))
        assert [one.path.name for one in found if isinstance(one, made)] == ["a.jpg", "z.jpg"]
        problems = [one.problem for one in found if isinstance(one, Failed)]
        assert len(problems) == 2
        for problem in problems:
            assert problem.endswith("(File name too long); give a shorter name, or choose another output")


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_is_said_once_and_ends_the_work(
    number: int, small: ImageU8, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, vitiq: Vitiq
) -> None:
    for name in ("a.png", "b.png", "c.png"):
        write_png(tmp_path / "in" / name, small)
    calls = 0

    def full(_: int) -> None:
        nonlocal calls
        calls += 1
        if calls > 1:
            raise OSError(number, os.strerror(number))

    command = ("encode", tmp_path / "in", "-c", "jpeg", "-o", tmp_path / "out", "--jobs", 1)
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        done = vitiq(*command)
    place = f"{tmp_path / 'out' / 'b.jpg'}: cannot be written ({os.strerror(number)})"
    assert (done.code, done.err) == (1, f"vitiq: error: {place}; free some space, or choose another output\n")
    assert calls == 2
    assert vitiq(*command).code == 0
    assert sorted(path.name for path in (tmp_path / "out").glob("*.jpg")) == ["a.jpg", "b.jpg", "c.jpg"]


def test_a_line_of_the_journal_that_a_full_disk_cut_costs_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a write on a disk that becomes full, write(2) says how many bytes were written, and fails at the next."""
    journal, source = Journal.of(tmp_path, {}), tmp_path / "x.png"
    source.write_bytes(PNG)
    write = os.write
    with monkeypatch.context() as patch:
        patch.setattr(os, "write", lambda descriptor, data: write(descriptor, data[:20]))
        with pytest.raises(InputError, match=r"\.vitiq-made: cannot be written .No space left on device"):
            journal.note(tmp_path / "a.jpg", PNG, b"made")
    journal.note(tmp_path / "b.jpg", PNG, b"made")
    (tmp_path / "b.jpg").write_bytes(b"made")
    assert journal.state(tmp_path / "b.jpg", source, journal.lines()) is State.SAME


def test_a_full_disk_ends_the_drawing_of_maps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(number: int) -> Callable[..., None]:
        def draw(*_: object, **__: object) -> None:
            with open_output(tmp_path / "map.png"):
                raise OSError(number, os.strerror(number))

        return draw

    pair = Scored(tmp_path / "a.png", tmp_path / "b.png")
    monkeypatch.setattr(MetricSpec, "backbone", lambda _: None)
    monkeypatch.setattr(maps, "draw_map", failing(errno.EIO))
    assert len(map_drawn(pair, tmp_path / "map.png", MetricSpec("mse"), force=True)) == 1
    monkeypatch.setattr(maps, "draw_map", failing(errno.ENOSPC))
    with pytest.raises(InputError, match=r"No space left on device.; free some space"):
        map_drawn(pair, tmp_path / "map.png", MetricSpec("mse"), force=True)


LOADED = """
import sys
import numpy as np
from vitiq.codecs.spec import make_codec

image = np.random.default_rng(0).integers(0, 256, (64, 96, 3), dtype=np.uint8)
codec, made = make_codec(sys.argv[1]), None
for work in (lambda: codec.encode(image), lambda: codec.decode(made)):
    codec.load(made)
    before = set(sys.modules)
    made = work()
    late = [name for name in set(sys.modules) - before if name.startswith(("vitiq", "torch", "jpeglib"))]
    assert not late, late
"""


@pytest.mark.parametrize("codec", ["generative", "generative-mse", "jpeg+deblock", "jpeg"])
def test_what_a_codec_loads_is_loaded_before_its_seconds_count(codec: str) -> None:
    """In a process of its own, where nothing is loaded yet: coding imports nothing more."""
    done = subprocess.run([sys.executable, "-c", LOADED, codec], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_seconds_begin_when_the_codec_has_loaded(tmp_path: Path) -> None:
    class Slow(Jpeg):
        def load(self, data: bytes | None = None) -> None:
            time.sleep(0.5)

    _, done = encode_image(
        np.zeros((8, 8, 3), np.uint8), tmp_path / "a.png", tmp_path / "a.jpg", codec=Slow(), rate=None
    )
    assert done.seconds < 0.4
