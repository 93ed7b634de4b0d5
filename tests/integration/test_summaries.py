"""What commands say at their end, in encodings that lack its signs, about files whose names these lack too.

Truth: the table that standard output in UTF-8 shows; each of its lines is there, its signs replaced by what is like
them or by escapes. The locale C is POSIX's, whose character set is ASCII.
"""

from __future__ import annotations

import io
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from vitiq.cli import main as program
from vitiq.cli.readable import ERRORS
from vitiq.image.io import write_png
from vitiq.types import ImageU8

NAMES = ("café ∞.png", "東京 × 2.png", os.fsdecode(b"caf\xe9.png"))
"""A name outside each of ASCII, Latin-1 and cp1252, one outside all, and one that is no text."""


@pytest.fixture(scope="module")
def folders(small: ImageU8, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Images, other images of the same names, opinions about them, and a run's results."""
    root = tmp_path_factory.mktemp("größe ✓")
    piece = np.ascontiguousarray(small[:48, :48])
    for folder, image in (("a", piece), ("b", 255 - piece)):
        for name in NAMES:
            write_png(root / folder / name, image)
    text = [name for name in NAMES if name.isprintable()]
    lines = [f"{name},{text[0]},{number}" for number, name in enumerate(text * 3)]
    (root / "a" / "mos.csv").write_text("\n".join(["distorted,reference,mos", *lines]), encoding="utf-8")
    run("run", root / "a", "-c", "jpeg", "--comparators", "webp", "--metrics", "mse", "-o", root / "results")
    return root


def run(*words: object, encoding: str = "utf-8") -> tuple[int, str, str]:
    """Exit code and what a command says on both streams, in this process."""
    kept = sys.stdout, sys.stderr, sys.argv
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding=encoding, errors="strict") for _ in range(2))
    sys.stdout, sys.stderr, sys.argv = out, err, ["vitiq", *map(str, words)]
    code: object = 0
    try:
        program.main()
    except SystemExit as stopped:
        code = stopped.code
    finally:
        sys.stdout, sys.stderr, sys.argv = kept
    said = []
    for stream in (out, err):
        stream.flush()
        data = stream.buffer.getvalue()
        said.append(data.decode(encoding))
    return int(str(code or 0)), said[0], said[1]


COMMANDS = {
    "encode": ("encode", "{a}", "-c", "jpeg", "-o", "{out}", "--jobs", "1", "--force"),
    "decode": ("decode", "{results}/bitstreams", "-o", "{out}", "--jobs", "1", "--force"),
    "info": ("info", "{a}/" + NAMES[1]),
    "score": ("score", "{a}", "{b}", "-m", "mse,psnr", "--jobs", "1"),
    "score of files": ("score", "{a}/" + NAMES[0], "{b}/" + NAMES[0], "-m", "mse"),
    "validate": ("validate", "{a}", "-m", "mse", "--resamples", "40", "--jobs", "1"),
    "run": ("run", "{a}", "-c", "jpeg", "--comparators", "webp", "--metrics", "mse", "-o", "{results}"),
    "bench": ("bench", "{a}", "-c", "jpeg@20:80:20", "-c", "webp@20,50,80", "-m", "mse", "-o", "{out}"),
    "report": ("report", "{results}"),
    "bd": ("bd", "{results}"),
    "a broken image": ("encode", "{a}/mos.csv", "{a}/gone ∞.png", "-c", "jpeg", "-o", "{out}", "--jobs", "1"),
}


PLAIN: dict[str, tuple[int, str, str]] = {}
"""What a command says in UTF-8, asked once."""


@pytest.mark.skipif(sys.platform == "win32", reason="names that are no text")
@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252"])
@pytest.mark.parametrize("name", COMMANDS)
def test_summaries_are_readable_in_every_encoding(name: str, encoding: str, folders: Path, tmp_path: Path) -> None:
    def said(encoding: str) -> tuple[int, str, str]:
        out = tmp_path / f"{name} ∞ {encoding}"
        places = {folder: folders / folder for folder in ("a", "b", "results")}
        code, shown, errors = run(*(word.format(**places, out=out) for word in COMMANDS[name]), encoding=encoding)
        label = str(out).encode(encoding, ERRORS).decode(encoding)
        return code, shown.replace(label, "OUT"), errors.replace(label, "OUT")

    wanted = PLAIN.setdefault(name, PLAIN.get(name) or said("utf-8"))
    found = said(encoding)
    assert found[0] == wanted[0]
    assert "Traceback" not in found[1] + found[2]
    assert "a fault of vitiq" not in found[2]
    assert wanted[1] or wanted[2]
    for plain, shown in zip(wanted[1:], found[1:], strict=True):
        assert timeless(shown) == timeless(plain.encode(encoding, ERRORS).decode(encoding))


def timeless(text: str) -> list[list[str]]:
    """Words of each line without numbers, which hold times."""
    return [[word for word in line.split() if not any(map(str.isdigit, word))] for line in text.splitlines()]


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX's locales")
@pytest.mark.parametrize(
    "variables",
    [
        {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"},
        {"LC_ALL": "POSIX"},
        {"LC_ALL": "xx_YY.nowhere"},
        {"LC_ALL": "C", "PYTHONIOENCODING": "cp1252"},
    ],
    ids=str,
)
def test_summaries_in_the_locale_c(variables: dict[str, str], folders: Path, tmp_path: Path) -> None:
    words = ["score", folders / "a", folders / "b", "-m", "mse", "--jobs", "1"]
    coding = ["encode", folders / "a", "-c", "jpeg", "-o", tmp_path / "größe", "--jobs", "1"]
    for command in (words, coding):
        done = subprocess.run(
            [sys.executable, "-m", "vitiq", *map(os.fsencode, map(str, command))],
            env={key: value for key, value in os.environ.items() if not key.startswith("LC_")} | variables,
            capture_output=True,
            check=False,
        )
        assert (done.returncode, b"Traceback" in done.stderr) == (0, False), done.stderr
        assert done.stdout
    assert len(list((tmp_path / "größe").glob("*.jpg"))) == len(NAMES)
