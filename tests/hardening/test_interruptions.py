"""Writes that fail at every system call, and runs killed at any moment: nothing lost, nothing half-made, no traceback.

Truth: what stood there before, and what an undisturbed command makes. The quick part; `make hardening` does the rest.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

HERE = Path(__file__).parent
LONG = bool(os.environ.get("VITIQ_HARDENING_LONG"))
"""Every call and all moments, for `make hardening`."""
MOMENTS = {"run": 200, "bench": 200, "processes": 200}


@pytest.fixture(scope="module")
def shim(tmp_path_factory: pytest.TempPathFactory) -> Path:
    compiler = shutil.which("cc")
    if not sys.platform.startswith("linux") or compiler is None:
        pytest.skip("needs Linux and a C compiler (cc), which this machine lacks")
    library = tmp_path_factory.mktemp("shim") / "fault.so"
    subprocess.run([compiler, "-O1", "-shared", "-fPIC", "-w", "-o", library, HERE / "fault.c", "-ldl"], check=True)
    return library


@pytest.mark.parametrize(
    ("operation", "step"), [("encode", 1), ("run", 1 if LONG else 110), ("processes", 1 if LONG else 110)]
)
def test_a_file_system_that_fails(operation: str, step: int, shim: Path, tmp_path: Path) -> None:
    image = np.random.default_rng(0).integers(0, 256, (24, 32, 3), dtype=np.uint8)
    Image.fromarray(image).save(tmp_path / "in.png")
    done = subprocess.run(
        [sys.executable, HERE / "interrupted.py", operation, tmp_path / "out", str(step)],
        env={**os.environ, "LD_PRELOAD": str(shim)},
        capture_output=True,
        text=True,
        check=True,
    )
    *failures, whole = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    assert failures == []
    assert (whole["code"], whole["wrong"]) == (0, 0)
    assert whole["tried"] >= 4


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGKILL there")
@pytest.mark.parametrize("study", ["run", "bench", "processes"])
def test_a_killed_run_resumes_to_the_same_results(study: str, tmp_path: Path) -> None:
    number = MOMENTS[study] if LONG else 2
    command: list[str] = [sys.executable, str(HERE / "killed.py"), str(number), str(tmp_path), study]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    *moments, whole = [json.loads(line) for line in done.stdout.splitlines()]
    assert [moment for moment in moments if not moment["fine"]] == [], done.stderr
    assert whole["killed"] > 0
    assert whole["files"] > 3
    assert whole["rows"] > 1
