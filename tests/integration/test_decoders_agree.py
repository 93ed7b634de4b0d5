"""What a decoder may not depend on: number of threads, vector instructions, oneDNN.

Truth: the same file decoded in this process. Symbols must be exact; pixels may differ by one level, since float
networks round differently under other instructions. Each case is a process of its own: oneDNN reads its limits once.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from vitiq.cli import verify
from vitiq.cli.main import main
from vitiq.codecs.base import Codec
from vitiq.codecs.classical.pillow import Jpeg
from vitiq.codecs.inversion.codec import Inversion
from vitiq.codecs.transform.codec import Generative, GenerativeMse
from vitiq.errors import TaskError
from vitiq.image.io import read_image
from vitiq.types import ImageU8

SCRIPT = """
import sys, numpy as np, torch
from pathlib import Path
from vitiq.codecs.transform.codec import Generative, GenerativeMse
from vitiq.codecs.inversion.codec import Inversion
folder, threads, onednn = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3] == "on"
torch.set_num_threads(threads)
torch.backends.mkldnn.set_flags(onednn)
for codec in (Generative(), GenerativeMse(), Inversion()):
    data = (folder / f"{codec.name}.viq").read_bytes()
    arrays = {f"latents{i}": x for i, x in enumerate(codec.inspect(data, symbols=True).latents)}
    np.savez(folder / f"{codec.name}-found.npz", image=codec.decode(data), **arrays)
"""
CODECS: dict[str, Codec] = {c.name: c for c in (Generative(), GenerativeMse(), Inversion(iterations=2))}
CASES = {
    "one thread": ({}, 1, "on"),
    "two threads": ({}, 2, "on"),
    "AVX2": ({"ONEDNN_MAX_CPU_ISA": "AVX2"}, 1, "on"),
    "SSE4.1": ({"ONEDNN_MAX_CPU_ISA": "SSE41"}, 2, "on"),
    "no oneDNN": ({}, 1, "off"),
    "no oneDNN, no vectors": ({"ATEN_CPU_CAPABILITY": "default"}, 2, "off"),
}


@pytest.fixture(scope="module")
def files(bundled: dict[str, ImageU8], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One file of each codec."""
    folder = tmp_path_factory.mktemp("files")
    piece = np.ascontiguousarray(bundled["building"][100:196, 150:260])
    for codec in CODECS.values():
        (folder / f"{codec.name}.viq").write_bytes(codec.encode(piece))
    return folder


@pytest.mark.parametrize("case", CASES)
def test_symbols_are_exact_and_pixels_within_one_level(case: str, files: Path) -> None:
    variables, threads, onednn = CASES[case]
    command = [sys.executable, "-c", SCRIPT, str(files), str(threads), onednn]
    done = subprocess.run(command, env=os.environ | variables, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    for name, codec in CODECS.items():
        data = (files / f"{name}.viq").read_bytes()
        wanted = codec.inspect(data, symbols=True).latents or ()
        with np.load(files / f"{name}-found.npz") as found:
            assert len(wanted) == len(found.files) - 1 > 0
            for i, latents in enumerate(wanted):
                np.testing.assert_array_equal(found[f"latents{i}"], latents)
            difference = np.abs(found["image"].astype(int) - codec.decode(data))
        assert int(difference.max()) <= 1, name


def call(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> int | str | None:
    """Exit code of the program, run in this process."""
    monkeypatch.setattr(sys, "argv", ["vitiq", *map(str, arguments)])
    try:
        main()
    except SystemExit as stopped:
        return stopped.code
    return 0


def test_verify_decodes_under_other_settings(
    files: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(monkeypatch, "decode", files / "generative.viq", "-o", tmp_path / "x.png", "--verify") == 0
    said = capsys.readouterr()
    assert said.err == ""
    lines = said.out.splitlines()[1:]
    assert lines[0] == "verify: symbols match the file's checksum"
    assert [line.split(": ")[1] for line in lines[1:]] == [setting.name for setting in verify.SETTINGS]
    assert all(line.endswith((": pixels identical", ": pixels differ by up to 1 of 255")) for line in lines[1:])
    assert lines[1].endswith(lines[2].split(": ")[2]), "the number of threads changes nothing"


@pytest.mark.parametrize(("name", "held"), [("generative.viq", True), ("x.jpg", None)])
def test_json_says_whether_symbols_match_too(
    name: str,
    held: bool | None,
    files: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "x.jpg").write_bytes(Jpeg().encode(np.full((9, 8, 3), 100, np.uint8)))
    file = files / name if (files / name).exists() else tmp_path / name
    monkeypatch.setattr(verify, "differences", lambda *_: [])
    assert call(monkeypatch, "decode", file, "-o", tmp_path / "y.png", "--verify", "--json") == 0
    assert json.loads(capsys.readouterr().out)["symbols_match"] is held


def test_settings_reach_the_other_process(files: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A setting that spoils the image is seen, so equal images mean something."""
    file = files / "inversion.viq"
    image = CODECS["inversion"].decode(file.read_bytes())
    spoil = (
        "import os, vitiq.codecs.files as files\n"
        "save = files.image_bytes\n"
        "files.image_bytes = lambda image, form: save(image ^ int(os.environ['SPOIL']), form)"
    )
    settings = (verify.Setting("right", {"SPOIL": "0"}, spoil), verify.Setting("spoilt", {"SPOIL": "4"}, spoil))
    monkeypatch.setattr(verify, "SETTINGS", settings)
    assert [(s.name, difference) for s, difference in verify.differences(file, image)] == [
        ("right", 0),
        ("spoilt", 4),
    ]
    with pytest.raises(TaskError, match=r"gone: not decoded, exit code 3 \(no message\)"):
        verify.decode_under(verify.Setting("gone", program="raise SystemExit(3)"), file)


def test_verify_fails_where_pixels_differ(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "x.jpg"
    file.write_bytes(Jpeg().encode(np.full((9, 8, 3), 100, np.uint8)))

    def decode_under(setting: verify.Setting, path: Path, _: str | None = None) -> ImageU8:
        assert path == file
        right = read_image(tmp_path / "x.png")
        return right + np.uint8(2 if setting.name == "2 threads" else 0)

    monkeypatch.setattr(verify, "decode_under", decode_under)
    assert call(monkeypatch, "decode", file, "--verify") == 1
    said = capsys.readouterr()
    assert said.out.splitlines()[1] == "verify: no symbol checksum in this format"
    assert said.out.count("pixels identical") == len(verify.SETTINGS) - 1
    assert "verify: 2 threads: pixels differ by up to 2 of 255" in said.out
    assert said.err == f"vitiq: {file}: pixels differ by up to 2, at most 1 expected\n"
