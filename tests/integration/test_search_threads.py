"""The same seed gives the same file at any number of threads, and on one core.

Truth: the same search in other processes, which start with other numbers of threads. Losses are compared to the last
bit, since files of rounded latents forgive small differences.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from vitiq.image.io import read_image, write_png

IMAGES = Path(__file__).parents[2] / "examples" / "images"

SCRIPT = """
import os, sys
if sys.argv[2] == "one core":
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
import hashlib, torch
from pathlib import Path
from vitiq.codecs.transform.codec import GenerativeMse
from vitiq.codecs.inversion.codec import Inversion
from vitiq.codecs.inversion.vector import InversionVector
from vitiq.image.io import read_image
from vitiq.types import Quality
image, before = read_image(Path(sys.argv[1])), torch.get_num_threads()
found = (Inversion(iterations=2), 4000), (InversionVector(iterations=2), 8), (GenerativeMse(refine=2), 30)
for codec, quality in found:
    losses = []
    data = codec.encode(image, Quality(quality), progress=lambda state: losses.append(state.loss.hex()))
    print(codec.name, hashlib.sha256(data).hexdigest(), *losses)
assert torch.get_num_threads() == before, "the number is restored"
print(before, file=sys.stderr)
"""


def search(image: Path, threads: int | None, cores: str) -> tuple[list[str], int]:
    """A line a codec with the file's hash and the losses, and the threads that the process started with."""
    environment = {key: value for key, value in os.environ.items() if key != "OMP_NUM_THREADS"}
    environment |= {"OMP_WAIT_POLICY": "PASSIVE"}  # no spinning while other tests have the cores
    environment |= {} if threads is None else {"OMP_NUM_THREADS": str(threads)}
    command = [sys.executable, "-c", SCRIPT, str(image), cores]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines(), int(done.stderr)


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A piece of a bundled image."""
    path = tmp_path_factory.mktemp("search") / "x.png"
    write_png(path, np.ascontiguousarray(read_image(IMAGES / "building.png")[100:292, 150:342]))
    return path


@pytest.fixture(scope="module")
def single(image: Path) -> list[str]:
    """What a process that starts with one thread finds."""
    lines, started = search(image, 1, "all")
    assert started == 1
    assert [line.split()[0] for line in lines] == ["inversion", "inversion-vector", "generative-mse"]
    assert all(len(line.split()) == 2 + 2 for line in lines)
    return lines


def test_files_do_not_depend_on_the_number_of_threads(image: Path, single: list[str]) -> None:
    found, started = search(image, 4, "all")
    assert started > 1 or os.cpu_count() == 1
    assert found == single


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system cannot keep a process to a core")
def test_files_do_not_depend_on_the_number_of_cores(image: Path, single: list[str]) -> None:
    assert search(image, None, "one core") == (single, 1)
