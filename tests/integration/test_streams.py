"""What the program prints, where and how: encodings, full and closed streams, no terminal, failures in one line.

Truth: docs/reference/cli.md (exit codes, results on stdout, everything else on stderr), and what the system says of
full disks and closed pipes.
"""

from __future__ import annotations

import io
import json
import os
import select
import subprocess
import sys
import time
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import click
import numpy as np
import pytest

from vitiq import registry
from vitiq.cli import main as program
from vitiq.cli.common import to_json_text
from vitiq.cli.options import METRICS, CodecCommand
from vitiq.cli.streams import abandon, reader_gone
from vitiq.errors import InputError
from vitiq.image.io import write_png
from vitiq.types import ImageU8

VITIQ = [sys.executable, "-m", "vitiq"]


def vitiq(*arguments: object, **settings: Any) -> subprocess.CompletedProcess[bytes]:
    settings = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **settings}
    return subprocess.run([*VITIQ, *map(os.fsencode, map(str, arguments))], check=False, **settings)


@pytest.fixture(scope="module")
def coded(small: ImageU8, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A compressed file whose name has no text in any encoding but bytes."""
    folder = tmp_path_factory.mktemp("café ∞")
    write_png(folder / "x.png", small)
    path = folder / os.fsdecode(b"caf\xe9.jpg")
    assert vitiq("encode", folder / "x.png", "-c", "jpeg", "-o", path, "--quiet").returncode == 0
    return path


@pytest.mark.parametrize(
    "variables",
    [
        {"PYTHONIOENCODING": "ascii"},
        {"PYTHONIOENCODING": "latin-1"},
        {"PYTHONIOENCODING": "cp1252"},
        {"PYTHONIOENCODING": "utf-8:strict"},
        {"LC_ALL": "C"},
        {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"},
    ],
    ids=str,
)
def test_every_encoding(variables: dict[str, str], coded: Path) -> None:
    environment = os.environ | variables
    for arguments in (("info", coded), ("decode", coded, "--force"), ("info", coded, "--json"), ("info", coded.parent)):
        done = vitiq(*arguments, env=environment)
        assert done.returncode == (1 if arguments[-1] == coded.parent else 0), done.stderr
        assert b"Traceback" not in done.stderr
        if "--json" in arguments:
            assert os.fsencode(json.loads(done.stdout)["file"]) == os.fsencode(coded)


def test_lists_in_an_encoding_without_their_signs() -> None:
    for command in (("metrics", "list"), ("codecs", "list"), ("models", "list"), ("--help",)):
        done = vitiq(*command, env=os.environ | {"PYTHONIOENCODING": "latin-1"})
        assert (done.returncode, done.stderr) == (0, b"")
        assert done.stdout.decode("latin-1")


@pytest.mark.parametrize(("encoding", "size"), [("ascii", b"16x16"), ("latin-1", b"16\xd716"), ("cp1252", b"16\xd716")])
def test_signs_become_what_is_like_them(encoding: str, size: bytes, small: ImageU8, tmp_path: Path) -> None:
    """ASCII is ASCII, though click takes it for a broken locale and would write UTF-8."""
    write_png(tmp_path / "x.png", np.ascontiguousarray(small[:16, :16]))
    environment = os.environ | {"PYTHONIOENCODING": encoding}
    vitiq("encode", tmp_path / "x.png", "-c", "webp")
    done = vitiq("info", tmp_path / "x.webp", env=environment)
    assert size + b" pixels" in done.stdout
    if encoding == "ascii":
        for command in (("metrics", "list"), ("codecs", "list"), ("--help",)):
            assert vitiq(*command, env=environment).stdout.isascii()


@pytest.mark.skipif(sys.platform == "win32", reason="no such names there")
def test_names_cannot_steer_the_terminal(small: ImageU8, tmp_path: Path) -> None:
    odd = tmp_path / "red\x1b[31m\u202egnp\nvitiq: error: forged.png"
    write_png(odd, small)
    broken = tmp_path / "broken\x1b[2J\n.png"
    broken.write_bytes(b"no image")
    for command in (
        ("encode", odd, "-c", "jpeg", "--force"),
        ("encode", tmp_path, "-c", "jpeg", "-o", tmp_path / "out", "--jobs", "1", "--force"),
        ("info", odd.with_suffix(".jpg"), tmp_path / "gone\x1b\n"),
        ("encode", broken),
        ("score", odd, odd, "-m", "mse"),
    ):
        done = vitiq(*command)
        assert b"a fault of vitiq" not in done.stderr
        for stream in (done.stdout, done.stderr):
            assert b"\x1b" not in stream
            assert "\u202e".encode() not in stream
            assert b"\nvitiq: error: forged" not in stream


def test_an_error_is_no_longer_than_a_screen() -> None:
    done = vitiq("encode", "x.png", "-c", "x" * 100_000)
    assert done.returncode in {1, 2}
    assert len(done.stderr) < 3000
    assert done.stderr.count(b"\n") == 1


def test_json_is_valid_whatever_the_encoding(monkeypatch: pytest.MonkeyPatch) -> None:
    answer = {"é": "∞", "name": os.fsdecode(b"caf\xe9"), "emoji": "🙂"}
    for encoding in ("utf-8", "ascii", "cp1252"):
        monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(io.BytesIO(), encoding=encoding))
        assert json.loads(to_json_text(answer).encode(encoding).decode(encoding)) == answer


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")
def test_full_streams(coded: Path) -> None:
    with Path("/dev/full").open("wb") as full:
        for command in (("metrics", "list"), ("info", coded), ("--help",), ("info", coded, "--json")):
            done = vitiq(*command, stdout=full)
            assert done.returncode == 1
            assert done.stderr == b"vitiq: error: standard output: No space left on device\n"
        assert vitiq("info", "gone", stderr=full).returncode == 1


@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&-", ">&- 2>&-"])
def test_closed_streams(closed: str, coded: Path) -> None:
    for command in ("codecs list", "info gone", "decode -"):
        done = subprocess.run(
            ["bash", "-c", f"'{sys.executable}' -m vitiq {command} {closed}"], capture_output=True, check=False
        )
        assert done.returncode == (0 if command == "codecs list" else 1)
        assert b"Traceback" not in done.stderr
        assert b"Exception" not in done.stderr


def test_a_home_that_cannot_be_written_is_no_noise(coded: Path, tmp_path: Path) -> None:
    image = tmp_path / "x.png"
    assert vitiq("decode", coded, "-o", image).returncode == 0
    for home in ({"HOME": "/nonexistent/home"}, {}):
        environment = {key: value for key, value in os.environ.items() if key not in {"HOME", "MPLCONFIGDIR"}} | home
        done = vitiq("score", image, image, "-m", "mse", "--map", tmp_path / f"map{len(home)}.png", env=environment)
        assert (done.returncode, done.stderr) == (0, b"")


def test_a_log_stays_short(coded: Path, tmp_path: Path) -> None:
    image = tmp_path / "x.png"
    vitiq("decode", coded, "-o", image)
    for quiet in ((), ("--quiet",)):
        begun = time.monotonic()
        done = vitiq(
            "encode",
            image,
            "-c",
            "inversion",
            "--iterations",
            40,
            "--force",
            *quiet,
            env=os.environ | {"NO_COLOR": "1"},
        )
        assert done.returncode == 0
        lines = [line for line in done.stderr.splitlines() if b"iteration" in line]
        assert len(lines) <= (0 if quiet else (time.monotonic() - begun) // 30), "one in 30 s at most"
        assert b"\r" not in done.stderr
        assert b"\x1b" not in done.stderr + done.stdout
        assert done.stdout, "the result is no note"


# Failures that nobody meant


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int | str | None:
    monkeypatch.setenv("VITIQ_DEBUG", "0")  # and not left to other tests by --debug
    monkeypatch.setattr(sys, "argv", ["vitiq", *arguments])
    try:
        program.main()
    except SystemExit as stopped:
        return stopped.code
    return 0


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (KeyError("lost"), "a fault of vitiq (KeyError: 'lost'); please report what this shows: vitiq --debug"),
        (RecursionError("deep"), "a fault of vitiq (RecursionError: deep)"),
        (AssertionError(), "a fault of vitiq (AssertionError)"),
        (MemoryError(), "not enough memory"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried"), "not enough memory"),
        (OSError(28, "No space left on device"), "No space left on device, of a file without a name; vitiq --debug"),
        (BrokenPipeError(32, "Broken pipe"), "a pipe that is not standard output: whoever read it has closed it"),
        (IsADirectoryError(21, "Is a directory", "folder"), "folder: Is a directory"),
        (InputError("two\nlines"), "two lines"),
    ],
)
def test_every_failure_is_one_line(
    error: Exception, said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(registry, "names", fail)
    assert run(monkeypatch, "codecs", "list") == 1
    shown = capsys.readouterr()
    assert shown.err.startswith(f"vitiq: error: {said}")
    assert shown.err.count("\n") == 1
    assert shown.out == ""
    assert run(monkeypatch, "--debug", "codecs", "list") == 1
    assert "Traceback" in capsys.readouterr().err


@pytest.mark.parametrize("polled", [True, False])
@pytest.mark.parametrize("gone", [True, False])
def test_whose_reader_has_gone(polled: bool, gone: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """A write that fails leaves its bytes in the stream, by which the pipe is known where there is no poll(2)."""
    reader, writer = os.pipe()
    if not polled:
        monkeypatch.delattr(select, "poll")
    with os.fdopen(writer, "w") as stream:
        monkeypatch.setattr(sys, "stdout", stream)
        stream.write("x")
        if gone:
            os.close(reader)
            with pytest.raises(BrokenPipeError):
                stream.flush()
        assert reader_gone() is gone
        abandon(stream)
    if not gone:
        os.close(reader)


PLUGIN = """
from vitiq.codecs.base import Codec
class Faulty(Codec):
    name, title, extension = "faulty", "Faulty", ".fty"
    qualities, default_quality, quality_help, quality_range = (1,), 1, "always 1", (1, 1, 1)
    def compress(self, image, quality, progress=None):
        raise ZeroDivisionError("division by zero")
    def decompress(self, data):
        return 1 / 0
"""


def test_a_plugin_that_fails_is_named(
    small: ImageU8, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "faulty_plugin.py").write_text(PLUGIN)
    monkeypatch.syspath_prepend(tmp_path)
    entry = EntryPoint("faulty", "faulty_plugin:Faulty", "vitiq.codecs")
    before = registry._entries

    def entries(group: Any) -> dict[str, EntryPoint]:
        return {**before(group), **({"faulty": entry} if group == "codecs" else {})}

    monkeypatch.setattr(registry, "_entries", entries)
    write_png(tmp_path / "in" / "x.png", small)
    for arguments in ((), ("-o", str(tmp_path / "out"), "--jobs", "1")):
        source = tmp_path / "in" if arguments else tmp_path / "in" / "x.png"
        assert run(monkeypatch, "encode", str(source), "-c", "faulty", *arguments) == 1
        shown = capsys.readouterr().err
        assert "codec faulty failed to encode (ZeroDivisionError: division by zero)" in shown
        assert "the plug-in faulty_plugin" in shown
        assert shown.count("\n") == 1
        assert "Traceback" not in shown


def test_usage_errors_are_one_line_with_the_way_to_help(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for arguments, said in (
        (("encode",), "(see vitiq encode --help)"),
        (("info", "--jsn", "x"), "(see vitiq info --help)"),
        (("nothing",), "no command 'nothing'"),
        (("encode", "x", "-j", "none"), "'none'"),
    ):
        assert run(monkeypatch, *arguments) == 2
        shown = capsys.readouterr().err
        assert shown.startswith("vitiq: error: ")
        assert said in shown
        assert shown.count("\n") == 1


def test_the_shell_completes_codecs_and_metrics() -> None:
    def complete(*words: str) -> list[str]:
        variables = {
            "_VITIQ_COMPLETE": "bash_complete",
            "COMP_WORDS": " ".join(words),
            "COMP_CWORD": str(len(words) - 1),
        }
        done = subprocess.run(
            [sys.executable, "-c", "from vitiq.cli.main import cli; cli(prog_name='vitiq')"],
            env=os.environ | variables,
            capture_output=True,
            text=True,
            check=True,
        )
        return [line.partition(",")[2] for line in done.stdout.splitlines()]

    assert complete("vitiq", "encode", "-c", "jpeg2") == ["jpeg2000"]
    assert complete("vitiq", "deco") == ["decode"]
    context = click.Context(click.Command("score"))
    found = METRICS.shell_complete(context, click.Option(["-m"]), "mse,vit-topk-a")
    assert [item.value for item in found] == ["mse,vit-topk-adj", "mse,vit-topk-area"]


def test_unknown_options_go_to_the_codec() -> None:
    params = [
        click.Argument(["images"], nargs=-1),
        click.Option(["-o", "--output"]),
        click.Option(["-O", "--option", "options"], multiple=True),
        click.Option(["--force"], is_flag=True),
    ]
    command = CodecCommand("x", params=params)
    words = ["a.png", "--iterations", "3", "--learning-rate=0.5", "-o", "--odd", "--force", "--", "--b.png"]
    context = command.make_context("x", words)
    assert context.params["images"] == ("a.png", "--b.png")
    assert context.params["options"] == ("iterations=3", "learning_rate=0.5")
    assert (context.params["output"], context.params["force"]) == ("--odd", True)
    with pytest.raises(click.UsageError) as raised:
        command.make_context("x", ["--outptu", "y"])
    assert "--output" in raised.value.format_message()


@pytest.mark.parametrize("codec", ["jpeg", "generative"])
def test_score_reads_a_pipe_once(codec: str, small: ImageU8, tmp_path: Path) -> None:
    """A pipe gives its bytes once, be they an image's or those of a codec's file; truth: the same scored from files."""
    image, file = tmp_path / "x.png", tmp_path / "coded"
    write_png(image, small)
    assert vitiq("encode", image, "-c", codec, "-o", file, "--quiet").returncode == 0
    score = ("-m", "mse,psnr-rgb", "--json", "--quiet")
    expected = json.loads(vitiq("score", image, file, *score).stdout)
    found = vitiq("score", image, "-", *score, input=file.read_bytes())
    assert (found.returncode, found.stderr) == (0, b"")
    assert json.loads(found.stdout)["pairs"][0]["scores"] == expected["pairs"][0]["scores"]
    swapped = vitiq("score", "-", image, *score, input=file.read_bytes())
    assert json.loads(swapped.stdout)["pairs"][0]["scores"]["mse"] == expected["pairs"][0]["scores"]["mse"]


def test_score_takes_standard_input_where_once_is_enough(small: ImageU8, tmp_path: Path) -> None:
    write_png(tmp_path / "x.png", small)
    data = (tmp_path / "x.png").read_bytes()
    for arguments, said in (
        (("-", "-"), b"on both sides"),
        (("-", tmp_path / "x.png", "--out", tmp_path / "t.csv"), b"need files"),
        ((tmp_path / "x.png", "-", "--map", tmp_path / "m.png"), b"need files"),
    ):
        done = vitiq("score", *arguments, "-m", "mse", input=data)
        assert (done.returncode, done.stderr.count(b"\n")) == (2, 1)
        assert said in done.stderr
    done = vitiq("score", "-", tmp_path / "x.png", "-m", "mse", input=b"")
    assert done.returncode == 1
    assert b"/dev/stdin: the file is empty" in done.stderr
