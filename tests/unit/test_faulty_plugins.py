"""Plug-ins that fail, give what is nothing or are nothing: they are named, and everything else goes on.

Truth: the contracts in codecs/base.py and metrics/base.py.
"""

from __future__ import annotations

import math
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from vitiq import foreign, registry
from vitiq.cli.main import cli, main
from vitiq.codecs.spec import make_codec
from vitiq.errors import LONGEST, BitstreamError, PluginError, VitiqError, described
from vitiq.image.io import write_png
from vitiq.metrics.scoring import resolve_metrics, score_pair
from vitiq.types import ImageU8

CODE = """
import numpy as np
from vitiq.codecs.base import Codec
from vitiq.filters.base import Filter
from vitiq.metrics.base import PairMetric
from vitiq.types import Score

GIVES = None

class Faulty(Codec):
    name, title, extension = "faulty", "Faulty", ".faulty"
    qualities, default_quality, quality_help, quality_range = (1, 2), 1, "1 or 2", (1, 2, 1)

    def compress(self, image, quality, progress=None):
        return GIVES() if callable(GIVES) else GIVES

    def decompress(self, data):
        if callable(GIVES):
            GIVES()
        return np.zeros((8, 8, 3), np.uint8)

    def leave(self):
        raise SystemExit(0)

class Changes(Filter):
    name, title = "changes", "Changes"

    def apply(self, image, data=None):
        return GIVES(image)

class Half(Codec):
    name, title = "half", "Half"

class Other(Faulty):
    name = "another"

class Odd(PairMetric):
    name, title, unit, range, kind = "odd", "Odd", "", (0, 1), "fidelity"
    higher_is_better, formula, reference = True, "-", "-"

    def signature(self):
        return "odd|v1"

    def __call__(self, reference, distorted):
        if isinstance(GIVES, Exception):
            raise GIVES
        if callable(GIVES):
            return Score(float(len(GIVES())), self.signature())
        return GIVES if GIVES is None or isinstance(GIVES, float) else Score(GIVES[0], self.signature())
"""
ENTRIES = """[vitiq.codecs]
faulty = faulty_plugins:Faulty
half = faulty_plugins:Half
other = faulty_plugins:Other
exits = faulty_exits:Gone
module = os:path
dashed = faulty-plugins:Faulty
gone = faulty_nowhere:Gone

[vitiq.filters]
changes = faulty_plugins:Changes

[vitiq.metrics]
odd = faulty_plugins:Odd
no-metric = os:path
gone-metric = faulty_nowhere:Gone
"""


@pytest.fixture
def plugins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The module of the plug-ins, installed."""
    info = tmp_path / "faulty-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: faulty\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(ENTRIES)
    (tmp_path / "faulty_plugins.py").write_text(CODE)
    (tmp_path / "faulty_exits.py").write_text("raise SystemExit('no licence')\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(__import__("sys").modules, "faulty_plugins", raising=False)
    return __import__("faulty_plugins")


@pytest.mark.usefixtures("plugins")
@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("half", "lacks compress, decompress, default_quality, extension, qualities, quality_help, quality_range"),
        ("other", "calls itself 'another'"),
        ("module", "is no class"),
        ("gone", "cannot be loaded"),
        ("dashed", "is registered as 'faulty-plugins:Faulty', MODULE:NAME expected; mend the entry points of faulty,"),
        ("exits", "cannot be loaded: SystemExit: no licence"),
    ],
)
def test_what_is_registered_and_no_codec_is_named(name: str, said: str) -> None:
    with pytest.raises(PluginError, match=said):
        registry.load("codecs", name)


@pytest.mark.usefixtures("plugins")
@pytest.mark.parametrize("group", ["codecs", "metrics"])
def test_lists_name_broken_plugins_and_show_the_others(group: str) -> None:
    answer = CliRunner().invoke(cli, [group, "list"])
    assert answer.exit_code == 0, answer.output
    assert "is no class" in answer.stderr
    assert "cannot be loaded" in answer.stderr
    assert {"codecs": "generative", "metrics": "vit-topk"}[group] in answer.stdout


@pytest.mark.usefixtures("plugins")
def test_all_metrics_are_those_that_can_be_loaded(caplog: pytest.LogCaptureFixture) -> None:
    names = [metric.name for metric in resolve_metrics("all")]
    assert {"odd", "mse"} <= set(names)
    assert not {"no-metric", "gone-metric"} & set(names)
    assert caplog.text.count("is no class") == caplog.text.count("cannot be loaded") == 1
    with pytest.raises(PluginError, match="cannot be loaded"):
        resolve_metrics("mse,gone-metric")


@pytest.mark.parametrize(("given", "said"), [(None, "NoneType"), ("text", "str"), (b"", "no bytes"), (3, "int")])
def test_an_encoder_gives_bytes(plugins: Any, given: object, said: str) -> None:
    plugins.GIVES = given
    codec = registry.load("codecs", "faulty")()
    with pytest.raises(PluginError, match=f"encoder of codec faulty gave {said}, the bytes of a file expected"):
        codec.encode(np.zeros((8, 8, 3), np.uint8))
    plugins.GIVES = bytearray(b"x")
    assert type(codec.encode(np.zeros((8, 8, 3), np.uint8))) is bytes


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (
            RuntimeError("boom\nmore"),
            "odd failed (RuntimeError: boom more); it comes from the plug-in faulty_plugins",
        ),
        (None, "gave NoneType, a vitiq.plugins.Score expected"),
        (0.5, "gave float, a vitiq.plugins.Score expected"),
        (["0.5"], "gave str for a value, a number expected"),
        ([1j], "gave complex for a value"),
        ([None], "gave NoneType for a value"),
    ],
)
def test_a_metric_that_fails_stops_no_other(plugins: Any, given: object, said: str, tmp_path: Path) -> None:
    plugins.GIVES = given
    image = np.arange(192, dtype=np.uint8).reshape(8, 8, 3)
    scores = score_pair(image, 255 - image, resolve_metrics("odd,mse"))
    assert math.isnan(scores["odd"].value)
    assert said in str(scores["odd"].details["undefined"])
    assert scores["mse"].value > 0
    write_png(tmp_path / "x.png", image)
    arguments = ["bench", str(tmp_path / "x.png"), "-c", "jpeg@50", "-m", "odd", "-o", str(tmp_path / "out")]
    answer = CliRunner().invoke(cli, arguments)
    assert isinstance(answer.exception, VitiqError)  # refused before any work: it fails on every image
    assert said in str(answer.exception)


@pytest.mark.parametrize("value", [np.float32(0.5), np.array(0.5), 0.5, True])
def test_numbers_of_any_kind_are_values(plugins: Any, value: object) -> None:
    plugins.GIVES = [value]
    image = np.zeros((8, 8, 3), np.uint8)
    found = score_pair(image, image, resolve_metrics("odd"))["odd"].value
    assert type(found) is float
    assert found == float(value)  # type: ignore[arg-type]


@pytest.mark.parametrize("code", [0, 3, "no GPU"])
def test_a_plugin_that_exits_ends_no_program(plugins: Any, code: object) -> None:
    plugins.GIVES = lambda: sys.exit(code)  # type: ignore[arg-type]
    image, codec = np.zeros((8, 8, 3), np.uint8), registry.load("codecs", "faulty")()
    with pytest.raises(PluginError, match=f"failed to encode .SystemExit: {code}.; it comes from the plug-in"):
        codec.encode(image)
    with pytest.raises(BitstreamError, match=f"SystemExit: {code}.; it comes from the plug-in faulty_plugins"):
        codec.decode(b"x")
    scores = score_pair(image, 255 - image, resolve_metrics("odd,mse"))
    assert f"odd failed (SystemExit: {code})" in str(scores["odd"].details["undefined"])
    assert scores["mse"].value > 0


def exits(_: object) -> None:
    sys.exit(0)


def raises(_: object) -> None:
    raise KeyError("x")


def writes(image: ImageU8) -> None:
    image.setflags(write=False)
    image[:] = 0


@pytest.mark.parametrize(
    ("gives", "said"),
    [
        (raises, r"failed \(KeyError: 'x'\)"),
        (exits, r"failed \(SystemExit: 0\)"),
        (writes, r"failed \(ValueError: assignment destination is read-only\)"),
        (lambda _: None, r"gave NoneType, uint8 of shape \(8, 9, 3\) as it was given expected"),
        (lambda image: image.tolist(), "gave list, uint8 of shape"),
        (lambda image: image / 255, r"gave float64 of shape \(8, 9, 3\), uint8"),
        (lambda image: image[1:], r"gave uint8 of shape \(7, 9, 3\), uint8 of shape \(8, 9, 3\)"),
    ],
)
def test_a_filter_that_fails_is_named(plugins: Any, gives: object, said: str, tmp_path: Path) -> None:
    plugins.GIVES = gives
    codec, image = make_codec("jpeg+changes"), np.zeros((8, 9, 3), np.uint8)
    data = codec.encode(image)
    whole = f"filter changes {said}.*; it comes from the plug-in faulty_plugins"
    with pytest.raises(PluginError, match=whole) as caught:
        codec.decode(data)
    assert "\n" not in str(caught.value)
    write_png(tmp_path / "x.png", image)
    arguments = ["bench", str(tmp_path / "x.png"), "-c", "jpeg+changes@50", "-m", "mse", "-o", str(tmp_path / "out")]
    answer = CliRunner().invoke(cli, [*arguments, "--executor", "inline"])
    assert answer.exit_code == 1
    assert f"jpeg+changes: {caught.value}" in answer.stderr


def test_a_filter_that_prints_adds_nothing_to_the_results(
    plugins: Any, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    plugins.GIVES = lambda image: [print("aside"), image][1]
    (tmp_path / "x.jpg").write_bytes(make_codec("jpeg").encode(np.zeros((8, 8, 3), np.uint8)))
    monkeypatch.setattr(foreign._output, "reserved", True)  # as in the program
    make_codec("jpeg+changes").decode((tmp_path / "x.jpg").read_bytes())
    assert capfd.readouterr() == ("", "aside\n")


def test_where_no_contract_stands_between_an_exit_is_named_too(
    plugins: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(plugins.Faulty, "identity", plugins.Faulty.leave, raising=True)
    write_png(tmp_path / "x.png", np.zeros((8, 8, 3), np.uint8))
    arguments = ["bench", str(tmp_path / "x.png"), "-c", "faulty", "-m", "mse", "-o", str(tmp_path / "out")]
    monkeypatch.setattr(sys, "argv", ["vitiq", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 1
    said = "codec 'faulty' of the package faulty failed (SystemExit: 0); report it to its authors"
    assert capsys.readouterr().err.strip().splitlines() == [f"vitiq: error: {said}"]


def test_a_plugin_that_changes_the_folder_moves_nothing(
    plugins: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Relative names of the caller lead on from the caller's folder, also where the plug-in's is gone by then."""
    elsewhere = tmp_path / "elsewhere"

    def leave() -> bytes:
        elsewhere.mkdir()
        monkeypatch.chdir(elsewhere)
        elsewhere.rmdir()
        return b"made"

    plugins.GIVES = leave
    image, codec = np.zeros((8, 8, 3), np.uint8), registry.load("codecs", "faulty")()
    monkeypatch.chdir(tmp_path)
    assert codec.encode(image) == b"made"
    assert Path.cwd() == tmp_path
    codec.decode(b"x")
    assert Path.cwd() == tmp_path
    assert score_pair(image, image, resolve_metrics("odd"))["odd"].value == 4
    assert Path.cwd() == tmp_path
    write_png(tmp_path / "x.png", image)
    answer = CliRunner().invoke(cli, ["encode", "x.png", "-c", "faulty", "-o", "made.faulty"])
    assert answer.exit_code == 0, answer.output
    assert (tmp_path / "made.faulty").read_bytes() == b"made"


def test_all_lines_of_a_foreign_error_are_said_in_one_up_to_a_length() -> None:
    """Its first line alone stood in records and tables, so that a sentence over two lines was cut at its comma."""
    assert described(RuntimeError('too wide,\n  "really" wide')) == 'RuntimeError: too wide, "really" wide'
    said = described(RuntimeError("line\n" * 1000))
    assert len(said) == len("RuntimeError: ") + LONGEST
    assert said.endswith("…")


def test_a_key_that_is_missing_is_said() -> None:
    assert described(KeyError("weights.0")) == "KeyError: 'weights.0'"
