"""What a decoder may not depend on: number of threads, vector instructions, oneDNN.

Truth: the same file decoded in this process. Symbols must be exact; pixels may differ by one level, since float
networks round differently under other instructions. Each case is a process of its own: oneDNN reads its limits once.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from vitiq.codecs.base import Codec
from vitiq.codecs.generative import Generative, GenerativeMse
from vitiq.codecs.inversion import Inversion
from vitiq.types import ImageU8

SCRIPT = """
import sys, numpy as np, torch
from pathlib import Path
from vitiq.codecs.generative import Generative, GenerativeMse
from vitiq.codecs.inversion import Inversion
folder, threads, onednn = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3] == "on"
torch.set_num_threads(threads)
torch.backends.mkldnn.set_flags(onednn)
for codec in (Generative(), GenerativeMse(), Inversion()):
    data = (folder / f"{codec.name}.viq").read_bytes()
    arrays = {f"latents{i}": x for i, x in enumerate(codec.latents(data))}
    np.savez(folder / f"{codec.name}-found.npz", picture=codec.decode(data), **arrays)
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
        wanted = codec.latents(data)
        with np.load(files / f"{name}-found.npz") as found:
            assert len(wanted) == len(found.files) - 1 > 0
            for i, latents in enumerate(wanted):
                np.testing.assert_array_equal(found[f"latents{i}"], latents)
            difference = np.abs(found["picture"].astype(int) - codec.decode(data))
        assert int(difference.max()) <= 1, name
