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

from vitiq.image.io import write_png
from vitiq.types import ImageU8

SCRIPT = """
import os, sys
if sys.argv[2] == "one core":
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
import hashlib, torch
from pathlib import Path
from vitiq.codecs.generative import GenerativeMse
from vitiq.codecs.inversion import Inversion
from vitiq.codecs.inversion_vector import InversionVector
from vitiq.image.io import read_image
image, before = read_image(Path(sys.argv[1])), torch.get_num_threads()
found = (Inversion(iterations=2), 4000), (InversionVector(iterations=2), 8), (GenerativeMse(refine=2), 30)
for codec, quality in found:
    losses = []
    data = codec.encode(image, quality=quality, progress=lambda state: losses.append(state.loss.hex()))
    print(codec.name, hashlib.sha256(data).hexdigest(), *losses)
assert torch.get_num_threads() == before, "the number is restored"
print(before, file=sys.stderr)
"""


def search(picture: Path, threads: int | None, cores: str) -> tuple[list[str], int]:
    """A line a codec with the file's hash and the losses, and the threads that the process started with."""
    environment = {key: value for key, value in os.environ.items() if key != "OMP_NUM_THREADS"}
    environment |= {"OMP_WAIT_POLICY": "PASSIVE"}  # no spinning while other tests have the cores
    environment |= {} if threads is None else {"OMP_NUM_THREADS": str(threads)}
    command = [sys.executable, "-c", SCRIPT, str(picture), cores]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines(), int(done.stderr)


def test_files_do_not_depend_on_the_number_of_threads(bundled: dict[str, ImageU8], tmp_path: Path) -> None:
    write_png(tmp_path / "x.png", np.ascontiguousarray(bundled["building"][100:292, 150:342]))
    one, four = (search(tmp_path / "x.png", count, "all") for count in (1, 4))
    assert one[1] == 1
    assert four[1] > 1 or os.cpu_count() == 1
    assert [line.split()[0] for line in one[0]] == ["inversion", "inversion-vector", "generative-mse"]
    assert all(len(line.split()) == 2 + 2 for line in one[0])
    assert one[0] == four[0]
    if not hasattr(os, "sched_setaffinity"):
        pytest.skip("processes cannot be kept to a core on this system; the rest passed")
    assert search(tmp_path / "x.png", None, "one core") == (one[0], 1)
