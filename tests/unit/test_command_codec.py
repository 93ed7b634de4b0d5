"""External programs as codecs.

Truth: libjxl's and libavif's own programs where they are installed (Debian's libjxl-tools and libavif-bin); scripts of
this test that fail in every way a program can.
"""

from __future__ import annotations

import os
import shutil
import stat
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from vitiq.cli.codecs import describe_options
from vitiq.codecs.classical.command import Command, filled
from vitiq.codecs.detect import codec_of
from vitiq.codecs.files import encode_image
from vitiq.codecs.rate_target import encode_within
from vitiq.codecs.spec import RateSpec, make_codec, parse_codec
from vitiq.errors import BitstreamError, InputError, MissingDependencyError, TaskError
from vitiq.types import Bytes, ImageU8, Quality

PROGRAMS = {
    "cjxl": ("cjxl {in} {out} -q {q}", 40.0),
    "avifenc": ("avifenc --min {q} --max {q} -s 8 {in} {out}", 30.0),
}


def script(folder: Path, body: str) -> str:
    """A program of a few lines of Python; its path has a space and signs that a shell would read."""
    path = folder / "a program $(touch x);.py"
    path.write_text(f"#!{sys.executable}\nimport sys, shutil, time\n{body}\n", encoding="utf-8")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return f'"{path}" {{in}} {{out}}'


@pytest.mark.parametrize("program", PROGRAMS)
def test_programs_of_debian(program: str, bundled: dict[str, ImageU8]) -> None:
    if shutil.which(program) is None:
        pytest.skip(f"{program} is not installed (Debian: libjxl-tools, libavif-bin)")
    template, quality = PROGRAMS[program]
    image = np.ascontiguousarray(bundled["animal"][:96, :130])
    codec = make_codec(f'cmd:"{template}"')
    data = codec.encode(image, Quality(quality))
    assert codec_of(data) == {"cjxl": "jxl", "avifenc": "avif"}[program]
    rebuilt = codec.decode(data)
    assert rebuilt.shape == image.shape
    assert np.abs(rebuilt.astype(int) - image).mean() < 12
    assert codec.extension == {"cjxl": ".jxl", "avifenc": ".avif"}[program]
    assert program in codec.label()
    programs = codec.identity()["programs"]
    assert isinstance(programs, dict)
    assert len(programs) == 2
    assert all(len(str(sha256)) == 64 for sha256 in programs.values())


def test_a_budget_is_met_by_search() -> None:
    if shutil.which("cjxl") is None:
        pytest.skip("cjxl is not installed (Debian: libjxl-tools)")
    image = np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    codec = make_codec("cmd", {"encode": "cjxl {in} {out} -q {q} -e 1", "step": 20, "low": 10})
    assert len(codec.encode(image, Bytes(1200))) <= 1200


def test_bytes_are_the_programs_own_and_names_need_no_shell(tmp_path: Path, small: ImageU8) -> None:
    copy = script(tmp_path, "shutil.copy(sys.argv[1], sys.argv[2])")
    codec = Command(encode=copy, decode=copy, suffix=".any", exchange="ppm")
    data = codec.encode(small)
    assert data.startswith(b"P6")
    assert np.array_equal(codec.decode(data), small)
    assert codec.inspect(data).sections == {"file": len(data)}
    assert list(tmp_path.iterdir()) == [tmp_path / "a program $(touch x);.py"]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("print('no such thing', file=sys.stderr); sys.exit(3)", "exit code 3: no such thing"),
        ("sys.exit(1)", "exit code 1: no message"),
        ("pass", "exit code 0 but wrote no"),
        ("open(sys.argv[2], 'w')", "exit code 0 but wrote no"),
        ("print('x' * 10**6, file=sys.stderr); sys.exit(2)", "exit code 2: x{400}$"),
        ("time.sleep(60)", "took more than 1 s and was stopped"),
    ],
)
def test_failures_say_what_the_program_said(tmp_path: Path, small: ImageU8, body: str, message: str) -> None:
    template = script(tmp_path, body)
    codec = Command(encode=template, decode=template, timeout=1 if "sleep" in body else 60)
    with pytest.raises(TaskError, match=message):
        codec.encode(small)
    with pytest.raises(BitstreamError, match=message):
        codec.decode(b"file")


def test_a_failure_says_which_quality_was_tried_and_how_to_set_the_range(tmp_path: Path, small: ImageU8) -> None:
    template = script(tmp_path, "sys.exit('out of range')") + " {q}"
    codec = Command(encode=template)
    with pytest.raises(TaskError, match=r"exit code 1 at \{q\} = 25: out of range; .*from 0 to 100: set low and high"):
        codec.encode(small, Quality(25))
    with pytest.raises(TaskError, match=r"at \{q\} = 1234567: out of range$"):
        Command(encode=template, high=2e6).encode(small, Quality(1234567))
    with pytest.raises(TaskError, match=r"^x\.png: .* at \{q\} = 0: "):
        encode_image(small, Path("x.png"), tmp_path / "x.bin", codec=codec, rate=RateSpec("bytes", 100))


def test_what_a_stopped_program_started_is_stopped_too(tmp_path: Path, small: ImageU8) -> None:
    note = tmp_path / "pid"
    body = f"import subprocess; p = subprocess.Popen(['sleep', '60']); open({str(note)!r}, 'w').write(str(p.pid))"
    codec = Command(encode=script(tmp_path, body + "; time.sleep(60)"), timeout=8)
    with pytest.raises(TaskError, match="stopped"):
        codec.encode(small)
    status = Path(f"/proc/{note.read_text()}/stat")
    for _ in range(200):
        if not status.exists() or status.read_text().split()[2] == "Z":
            return
        time.sleep(0.05)
    raise AssertionError("still running")


def test_a_decoder_that_writes_no_image_is_reported(tmp_path: Path) -> None:
    codec = Command(encode="x {in} {out}", decode=script(tmp_path, "open(sys.argv[2], 'w').write('hello')"))
    with pytest.raises(BitstreamError, match="output of"):
        codec.decode(b"file")


def test_a_program_may_be_named_from_the_current_folder(
    tmp_path: Path, small: ImageU8, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It runs in a folder of its own, from which `./program` would lead nowhere."""
    program = script(tmp_path, "shutil.copy(sys.argv[1], sys.argv[2])").replace(f"{tmp_path}/", "./")
    monkeypatch.chdir(tmp_path)
    codec = Command(encode=program, decode=program)
    codec.check_ready(())
    assert np.array_equal(codec.decode(codec.encode(small)), small)


def test_missing_programs_and_templates(small: ImageU8) -> None:
    with pytest.raises(MissingDependencyError, match="'no-such-program' is not found"):
        Command(encode="no-such-program {in} {out}").encode(small)
    with pytest.raises(InputError, match="needs a program"):
        Command().encode(small)
    with pytest.raises(InputError, match="cannot decode without"):
        Command(encode="no-such-program {in} {out}").decode(b"x")
    for template in ("cjxl {in}", "{out}", "cjxl '{in} {out}"):
        with pytest.raises(InputError, match="template"):
            Command(encode=template)


@pytest.mark.parametrize(
    ("templates", "said"),
    [
        ({"encode": "cjxl {in} {out} -q {quality} {foo}"}, "has {quality}, {foo}, .* known are {in}, {out}, {q}"),
        ({"encode": "cjxl {in} {out} ${HOME}"}, "has {HOME}"),
        ({"encode": "cjxl {in} {out}", "decode": "djxl {in} {out} {q}"}, "has {q}, .* known are {in}, {out}$"),
    ],
)
def test_unknown_placeholders_are_refused_when_the_codec_is_made(templates: dict[str, str], said: str) -> None:
    with pytest.raises(InputError, match=said):
        Command(**templates)


def test_other_braces_are_the_programs_own(tmp_path: Path, small: ImageU8) -> None:
    copy = script(tmp_path, "shutil.copy(sys.argv[1], sys.argv[2])")
    codec = Command(encode=copy + """ '{"a": 1}' {} {0} x{3,5}""", decode=copy)
    assert np.array_equal(codec.decode(codec.encode(small)), small)


def test_placeholders_are_replaced_once() -> None:
    assert filled("-o{out}:{q}{x}", {"in": "{q}", "out": "{in}{q}", "q": "3"}) == "-o{in}{q}:3{x}"


def test_a_command_that_is_given_no_quality_has_one_rate(tmp_path: Path, small: ImageU8) -> None:
    log = tmp_path / "log"
    body = f"open({str(log)!r}, 'a').write('x'); shutil.copy(sys.argv[1], sys.argv[2])"
    codec = Command(encode=script(tmp_path, body), decode="cp {in} {out}")
    assert list(codec.qualities) == [codec.default_quality] == [50]
    codec.check_ready([])
    codec.check_ready([30, 30])
    codec.check_quality(30)
    with pytest.raises(InputError, match=r"has no \{q\}.* 2 qualities are asked for; give one"):
        codec.check_ready([10, 30])
    assert not encode_within(codec, small, Bytes(1)).reached
    assert log.read_text() == "x", "one file, however many bytes are asked for"


def test_qualities_that_fall(tmp_path: Path, small: ImageU8) -> None:
    body = "open(sys.argv[2], 'wb').write(bytes(1000 - 10 * int(sys.argv[3])))"
    codec = Command(encode=script(tmp_path, body) + " {q}", low=63, high=0, quality=30)
    assert codec.default_quality == 30
    assert len(codec.encode(small)) == 700
    assert len(codec.encode(small, Bytes(845))) == 840
    assert len(codec.encode(small, Bytes(1))) == 370
    with pytest.raises(InputError, match="0 to 63"):
        codec.check_quality(64)


def test_a_template_in_a_list_of_codecs() -> None:
    spec = parse_codec('cmd:"cjxl {in} {out} -q {q}"[timeout=5]@10,50')
    assert spec.make().options.timeout == 5
    assert [rate.value for rate in spec.rates] == [10, 50]


@pytest.mark.skipif(os.name != "posix", reason="a process group is POSIX's")
def test_nothing_of_the_environment_is_a_shell(tmp_path: Path, small: ImageU8) -> None:
    copy = script(tmp_path, "shutil.copy(sys.argv[1], sys.argv[2])")
    codec = Command(encode=copy + " ; touch " + str(tmp_path / "made") + " $(touch y) `touch z`", decode=copy)
    codec.encode(small)
    assert not (tmp_path / "made").exists()


def test_a_subclass_has_a_title_and_defaults_of_its_own() -> None:
    class Mine(Command):
        name, title = "mine", "My tool"

        def __init__(self, **options: object) -> None:
            super().__init__(**{"encode": "tool {in} {out} {q}", "low": 10, "high": 95, **options})

    class Untitled(Command):
        name = "untitled"

    assert (Mine().title, Mine().label(), Mine(high=50).label()) == ("My tool", "My tool", "My tool [high=50.0]")
    other = Untitled(encode="tool {in} {out} {q}")
    assert (other.title, other.label()) == ("tool", "tool {q}")
    defaults = {name: default for name, _, default, _ in describe_options(Mine.Options, Mine().options)}
    assert (defaults["low"], defaults["high"], defaults["encode"]) == ("10.0", "95.0", "tool {in} {out} {q}")
