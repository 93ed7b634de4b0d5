"""A run that is stopped by Ctrl-C or killed outright, and the same command again.

Truth: the same run without a stop.
"""

from __future__ import annotations

import csv
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from vitiq.cli.main import main
from vitiq.experiments.plan import RunConfig
from vitiq.experiments.runner import run
from vitiq.image.io import write_png
from vitiq.types import ImageU8

TIMES = {"encode_seconds", "decode_seconds"}


def arguments(pictures: Path, out: Path) -> list[str]:
    settings = ["--iterations", "8", "--comparators", "jpeg", "--metrics", "mse,psnr-rgb", "--quiet"]
    return ["run", str(pictures), "-o", str(out), *settings]


def rows(out: Path) -> list[dict[str, str]]:
    with (out / "records.csv").open(newline="", encoding="utf-8") as file:
        return [{key: row[key] for key in row if key not in TIMES} for row in csv.DictReader(file)]


def files(out: Path) -> dict[str, bytes]:
    """Bitstreams and pictures."""
    found = (path for folder in ("bitstreams", "reconstructions", "previews") for path in (out / folder).rglob("*"))
    return {path.relative_to(out).as_posix(): path.read_bytes() for path in found if path.is_file()}


@pytest.fixture(scope="module")
def pictures(bundled: dict[str, ImageU8], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pictures")
    for name in ("animal", "portrait"):
        write_png(folder / f"{name}.png", np.ascontiguousarray(bundled[name][200:264, 200:264]))
    return folder


@pytest.fixture(scope="module")
def whole(pictures: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run that nothing stops; without its report, which is not compared."""
    out = tmp_path_factory.mktemp("whole")
    config = RunConfig(options={"iterations": 8}, comparators=("jpeg",), metrics="mse,psnr-rgb")
    run(config, [pictures], out)
    return out


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL], ids=["Ctrl-C", "kill -9"])
def test_the_same_command_finishes_a_stopped_run(
    number: signal.Signals, pictures: Path, whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    command = [sys.executable, "-m", "vitiq", *arguments(pictures, out)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ | {"OMP_NUM_THREADS": "1"}
    ) as process:
        end = time.monotonic() + 100
        while not list(out.glob("tasks/*.json")):
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < end
            time.sleep(0.005)
        process.send_signal(number)
        said, err = process.communicate(timeout=60)
    assert said == ""
    if number == signal.SIGINT:
        assert process.returncode == 130
        assert err == "vitiq: error: stopped; what is done is kept, the same command goes on with the rest\n"
        assert not [path for path in out.rglob(".*") if path.name != ".vitiq"], "no half-made files"
    else:
        assert process.returncode == -signal.SIGKILL
    stamps = {path: path.stat().st_mtime_ns for path in out.glob("tasks/*.json")}
    assert 0 < len(stamps) < len(list(whole.glob("tasks/*.json")))
    monkeypatch.setattr(sys, "argv", ["vitiq", *arguments(pictures, out)])
    main()
    assert rows(out) == rows(whole)
    assert len(rows(out)) == 2 * (1 + 1 + 8)
    assert files(out) == files(whole)
    assert {path: path.stat().st_mtime_ns for path in stamps} == stamps, "what was done is not done again"
    assert (out / "report.html").is_file()
