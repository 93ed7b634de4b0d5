"""Names, places and streams that scripts and file systems come up with: one line each, nothing lost, nothing endless.

Truth: POSIX on empty path names (an error, path_resolution(7)), null(4) and zero(4), and what stood in files before.
"""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import click
import numpy as np
import pytest

from program import Answer, Vitiq
from vitiq.cli import main as program
from vitiq.cli.options import PathName
from vitiq.codecs.batch import plan_encoding
from vitiq.codecs.journal import Journal
from vitiq.errors import InputError
from vitiq.evaluation.bench import read_study_file
from vitiq.evaluation.store import Store
from vitiq.image.folders import find_images
from vitiq.image.io import write_png
from vitiq.image.limits import MAX_FILE_BYTES, read_bounded
from vitiq.text import read_text
from vitiq.types import ImageU8

POSIX = pytest.mark.skipif(sys.platform == "win32", reason="POSIX's devices and permissions")


def commands(group: click.Command, name: str = "") -> dict[str, click.Command]:
    found = {name: group}
    for word in getattr(group, "commands", {}):
        found |= commands(group.commands[word], f"{name} {word}")  # type: ignore[attr-defined]
    return found


@pytest.mark.parametrize("name", program.COMMANDS)
def test_every_path_of_every_command_refuses_an_empty_name(name: str) -> None:
    """`vitiq encode "$UNSET" -o "$UNSET"` would take all of the current folder, and write into it."""
    for where, command in commands(import_module(f"vitiq.cli.{name}").command, name).items():
        for parameter in command.params:
            assert not isinstance(parameter.type, click.Path) or isinstance(parameter.type, PathName), where


def test_an_empty_name_is_a_wrong_command_line(vitiq: Vitiq, small: ImageU8, tmp_path: Path) -> None:
    write_png(tmp_path / "x.png", small)
    assert "no file can be called" in vitiq("encode", "a\0b.png").err
    for words in (("encode", ""), ("encode", tmp_path / "x.png", "-o", ""), ("score", "", ""), ("run", "", "-o", "o")):
        answer = vitiq(*words)
        assert (answer.code, answer.err.count("\n")) == (2, 1)
        assert "an empty name given" in answer.err


@POSIX
def test_a_current_folder_that_was_removed_is_said(tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    script = f"cd {gone} && rmdir {gone} && exec {sys.executable} -m vitiq run {tmp_path}/x.png -o {tmp_path}/out"
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    done = subprocess.run(["bash", "-c", script], capture_output=True, check=False, env=environment)
    assert (done.returncode, done.stdout) == (1, b"")
    assert done.stderr == b"vitiq: error: the current folder was removed; change to one that is there\n"


@POSIX
@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_no_file_takes_the_place_of_a_closed_stream(closed: str) -> None:
    """What a library prints there would land in the file; reading and writing the stream still fails."""
    code = (
        "import os; from vitiq.cli.streams import prepare; prepare(); new = os.open('/dev/null', os.O_RDWR)\n"
        "works = []\n"
        "for number, use in enumerate((lambda: os.read(0, 0), lambda: os.write(1, b''), lambda: os.write(2, b''))):\n"
        "    try: use(); works.append(number)\n"
        "    except OSError: pass\n"
        "open(os.environ['SAID'], 'w').write(f'{new > 2} {works}')\n"
    )
    said = Path(os.environ.get("TMPDIR", "/tmp")) / f"vitiq-closed-{os.getpid()}"
    try:
        environment = os.environ | {"SAID": str(said), "CODE": code}
        subprocess.run(["bash", "-c", f'{sys.executable} -c "$CODE" {closed}'], env=environment, check=False)
        left = [n for n, mark in ((0, "<&-"), (1, " >&-"), (2, "2>&-")) if mark not in f" {closed}"]
        assert said.read_text() == f"True {left}"
    finally:
        said.unlink(missing_ok=True)


@POSIX
def test_devices_without_an_end_are_refused_by_every_reader(vitiq: Vitiq, small: ImageU8, tmp_path: Path) -> None:
    write_png(tmp_path / "x.png", small)
    (tmp_path / "link.png").symlink_to("/dev/zero")
    for device in ("/dev/zero", "/dev/urandom", tmp_path / "link.png"):
        for words in (
            ("encode", device, "-c", "jpeg", "-o", tmp_path / "y.jpg"),
            ("decode", device, "-o", tmp_path / "y.png"),
            ("info", device),
            ("score", device, tmp_path / "x.png", "-m", "mse"),
        ):
            answer = vitiq(*words)
            assert (answer.code, answer.err.count("\n")) == (1, 1), answer.err
            assert "is a device" in answer.err
    assert "is empty" in vitiq("encode", "/dev/null", "-c", "jpeg", "-o", tmp_path / "y.jpg").err


def test_files_beyond_the_limits_are_refused_before_they_are_read(
    vitiq: Vitiq, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("big.png", "big.viq"):
        with (tmp_path / name).open("wb") as file:
            file.truncate(MAX_FILE_BYTES + 1)  # takes no space on the disk
    for words in (
        ("encode", tmp_path / "big.png", "-o", tmp_path / "y.viq"),
        ("decode", tmp_path / "big.viq", "-o", tmp_path / "y.png"),
    ):
        answer = vitiq(*words)
        assert (answer.code, answer.err.count("\n")) == (1, 1)
        assert f"more than {MAX_FILE_BYTES} bytes" in answer.err
    with pytest.raises(InputError, match="a table is expected"):
        read_bounded(tmp_path, "a table")
    monkeypatch.setattr("vitiq.text.MAX_TEXT_BYTES", 10)
    (tmp_path / "mos.csv").write_text("distorted,reference,mos\n")
    with pytest.raises(ValueError, match="more than 10 bytes"):
        read_text(tmp_path / "mos.csv")
    answer = vitiq("validate", tmp_path, "-m", "mse")
    assert (answer.code, answer.err.count("\n")) == (1, 1)
    assert "more than 10 bytes" in answer.err


def test_tables_and_settings_of_windows_editors_are_read(vitiq: Vitiq, small: ImageU8, tmp_path: Path) -> None:
    """Their mark before the text, line ends, UTF-16; Latin-1 is refused without a copy of the file in the message."""
    text = "distorted,reference,mos\n" + "".join(f"{number}.png,r.png,{number}\n" for number in range(6))
    for name in ("r", *range(6)):
        write_png(tmp_path / f"{name}.png", small)
    (tmp_path / "mos.csv").write_bytes(b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode())
    answer = vitiq("validate", tmp_path, "-m", "mse", "--resamples", "40", "--jobs", "1", "--quiet")
    assert answer.out.startswith("plain: 6 images"), answer.err
    (tmp_path / "study.toml").write_bytes(
        b'\xef\xbb\xbfimages = ["r.png"]\r\ncodecs = ["jpeg"]\r\nmetrics = ["mse"]\r\n'
    )
    assert read_study_file(tmp_path / "study.toml").metrics
    (tmp_path / "mos.csv").write_bytes(text.encode("utf-16"))
    assert vitiq("validate", tmp_path, "-m", "mse", "--resamples", "40", "--jobs", "1", "--quiet").out == answer.out
    (tmp_path / "mos.csv").write_bytes(text.encode() + b"\xe9.png,r.png,1\n")
    answer = vitiq("validate", tmp_path, "-m", "mse")
    assert (answer.code, answer.err.count("\n")) == (1, 1)
    assert f"no text in UTF-8: byte {len(text)} is 0xe9" in answer.err
    assert len(answer.err) < 300


@pytest.mark.parametrize("number", [errno.EACCES, errno.ENAMETOOLONG, errno.EIO])
def test_a_file_that_the_system_says_nothing_about_does_not_stop_the_others(
    number: int, vitiq: Vitiq, small: ImageU8, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a folder that may be listed and not entered, below a path that is too long, on a broken disk."""
    for name in ("a.png", "b.png"):
        write_png(tmp_path / "in" / name, small)
    plain = Path.is_file

    def is_file(path: Path) -> bool:
        if path.name == "a.png":
            raise OSError(number, os.strerror(number), str(path))
        return plain(path)

    monkeypatch.setattr(Path, "is_file", is_file)
    line = f"{tmp_path / 'in' / 'a.png'}: cannot be looked at ({os.strerror(number)})"
    found = find_images([tmp_path / "in"])
    assert [image.name for image in found.images] == ["b.png"]
    assert [problem.split(";")[0] for problem in found.problems] == [line]
    answer = vitiq("encode", tmp_path / "in", "-c", "jpeg", "-o", tmp_path / "out", "--jobs", "1")
    assert (answer.code, answer.err.count("\n")) == (1, 1)
    assert line in answer.err
    assert (tmp_path / "out" / "b.jpg").exists()
    monkeypatch.undo()
    (tmp_path / "out" / "b.jpg").rename(tmp_path / "out" / "a.png")
    monkeypatch.setattr(Path, "is_file", is_file)
    answer = vitiq("decode", tmp_path / "out", "-o", tmp_path / "back", "--jobs", "1")
    assert answer.code == 1
    assert "cannot be looked at" in answer.err


@POSIX
@pytest.mark.parametrize("make", [os.symlink, os.link])
def test_force_replaces_no_other_input(make: object, vitiq: Vitiq, small: ImageU8, tmp_path: Path) -> None:
    """An output that is a link to another image of the same command."""
    write_png(tmp_path / "in" / "a.png", small)
    write_png(tmp_path / "in" / "b.png", np.ascontiguousarray(small[::-1]))
    before = (tmp_path / "in" / "b.png").read_bytes()
    (tmp_path / "out").mkdir()
    make(tmp_path / "in" / "b.png", tmp_path / "out" / "a.jpg")  # type: ignore[operator]
    answer = vitiq("encode", tmp_path / "in", "-c", "jpeg", "-o", tmp_path / "out", "--force", "--jobs", "1")
    assert (answer.code, answer.err.count("\n")) == (1, 1)
    assert f"is the input {tmp_path / 'in' / 'b.png'}" in answer.err
    assert (tmp_path / "in" / "b.png").read_bytes() == before
    batch = plan_encoding([tmp_path / "in"], Journal.of(tmp_path / "out", {}), ".jpg", overwrite=True)
    assert [source.name for source, _ in batch.todo] == ["b.png"]


@pytest.mark.parametrize(
    "words",
    [("bench", "-c", "jpeg@20,50", "-m", "mse,kid-pixel"), ("run", "-c", "jpeg", "--bytes", "900", "-m", "mse")],
)
def test_a_finished_folder_may_be_read_only(
    words: tuple[str, ...], vitiq: Vitiq, small: ImageU8, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a.png", "b.png"):
        write_png(tmp_path / "in" / name, small)
    name, *options = words
    call = (name, tmp_path / "in", *options, "-o", tmp_path / "out", "--executor", "inline", "--quiet")
    before = vitiq(*call)

    def refuse(*_: object, **__: object) -> object:
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr("vitiq.files._unnamed", refuse)
    monkeypatch.setattr("vitiq.evaluation.rows.named_at_end", refuse)
    assert vitiq(*call) == before
    answer = vitiq(*call[:-3], "--quiet", "-m", "psnr-rgb")
    assert (answer.code, answer.err.count("\n")) == (1, 1)
    assert "cannot be written (Read-only file system)" in answer.err


@pytest.mark.parametrize(
    "words", [("bench", "-c", "jpeg@20,50", "-m", "mse"), ("run", "-c", "jpeg", "--bytes", "900", "-m", "mse")]
)
def test_what_finished_studies_hold_is_said_wherever_a_read_only_folder_lies(
    words: tuple[str, ...], vitiq: Vitiq, small: ImageU8, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_png(tmp_path / "in" / "a.png", small)
    name, *options = words

    def call(out: Path, *more: str) -> Answer:
        return vitiq(name, tmp_path / "in", *options, *more, "-o", out, "--executor", "inline", "--quiet")

    first, last = call(tmp_path / "out").out, call(tmp_path / "out", "-m", "psnr-rgb").out
    moved = tmp_path / "moved"
    shutil.copytree(tmp_path / "out", moved)

    def refuse(*_: object, **__: object) -> object:
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr("vitiq.files._unnamed", refuse)
    monkeypatch.setattr("vitiq.evaluation.rows.named_at_end", refuse)
    monkeypatch.setattr(Store, "is_writable", lambda _: False)  # root is refused nothing, but by the file system
    again, older = call(moved, "-m", "psnr-rgb"), call(moved)
    assert (again.code, older.code) == (0, 0)
    assert "takes no files" in again.err
    assert again.out == last.replace(str(tmp_path / "out"), str(moved))
    there = str(tmp_path / "out" / "report.html")
    assert older.out == first.removesuffix(f"{there}\n").replace(str(tmp_path / "out"), str(moved))
    answer = vitiq("report", moved, "--quiet")
    assert answer.code == 1
    assert f"cannot be written (Read-only file system); copy {moved} to another place" in answer.err
    assert f"`vitiq view {moved}`" in answer.err


def test_a_name_that_begins_with_a_dash_is_reported_how_to_write(
    vitiq: Vitiq, small: ImageU8, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write_png(tmp_path / "-dash.png", small)
    for words in (("encode", "-dash.png"), ("score", "-dash.png", "-dash.png"), ("info", "-dash.png")):
        answer = vitiq(*words)
        assert answer.code == 2
        assert "a file -dash.png is here: write ./-dash.png" in answer.err
    assert "./" not in vitiq("encode", "-other.png").err
    assert vitiq("encode", "./-dash.png", "-c", "jpeg", "-o", "d.jpg").code == 0


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOMEM, "Cannot allocate memory"),
        ImportError("libtorch_cpu.so: failed to map segment from shared object"),
        OSError("libdl.so.2: failed to map segment from shared object"),
        RuntimeError("std::bad_alloc"),
    ],
)
def test_every_way_of_having_no_memory_is_called_so(error: Exception) -> None:
    assert program.answer(error) == (program.OUT_OF_MEMORY, 1)
