"""Weights files are untrusted bytes. Truth: what each file was made to be; memory as the system counts it.

Every loader is given a file whose every tensor is in order but for one number that is not finite, and every format a
file that asks for code to be run or for far more memory than it has bytes.
"""

from __future__ import annotations

import io
import json
import math
import pickle
import re
import struct
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

import vitiq
from vitiq.codecs.inversion.generators.embedded import EmbeddedGenerator
from vitiq.codecs.transform.latent_classifier import load_classifier
from vitiq.codecs.transform.networks.embedded import load_model
from vitiq.errors import InputError, WeightsError
from vitiq.metrics.sets.moments import load_statistics
from vitiq.models.backbones import load_backbone
from vitiq.models.backbones.formats import read_state
from vitiq.models.perceptual import read_state as read_perceptual
from vitiq.npz import bounded_npz
from vitiq.report.source import read_maps
from vitiq.training.data import kept_arrays
from vitiq.weights.checkpoint import checked_tensors, read_checkpoint
from vitiq.weights.store import embedded_path

FORMS: dict[str, Callable[[dict[str, torch.Tensor], Path], object]] = {
    ".safetensors": save_file,
    ".pth": torch.save,
    ".old.pth": lambda state, path: torch.save(state, path, _use_new_zipfile_serialization=False),
    ".npz": lambda state, path: np.savez(path, **{k: v.numpy() for k, v in state.items()}),  # type: ignore[arg-type]
}


@pytest.mark.parametrize("suffix", FORMS)
@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_a_number_that_is_not_finite_is_refused_by_name(suffix: str, bad: float, tmp_path: Path) -> None:
    path = tmp_path / f"weights{suffix}"
    FORMS[suffix]({"sound": torch.ones(3), "block.weight": torch.tensor([1.0, bad])}, path)
    for read in (read_state, read_perceptual):
        with pytest.raises(WeightsError, match=r"tensor block\.weight holds 1 numbers that are not finite, of 2"):
            read(path)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64, torch.float8_e4m3fn])
def test_in_every_precision(dtype: torch.dtype, tmp_path: Path) -> None:
    bad = torch.tensor([1.0, math.nan]).to(dtype) if dtype != torch.float64 else torch.tensor([1.0, 1e200], dtype=dtype)
    with pytest.raises(WeightsError, match="tensor x holds"):
        checked_tensors(tmp_path, {"x": bad})
    assert checked_tensors(tmp_path, {"x": torch.ones(2).to(dtype), "count": torch.tensor(3)}).keys() == {"x", "count"}


@pytest.mark.parametrize(
    ("file", "load"),
    [
        ("vit_embedded", lambda path: load_backbone(weights=path)),
        ("generator_embedded", EmbeddedGenerator),
        ("codec_embedded", load_model),
        ("classifier_embedded", load_classifier),
    ],
)
def test_every_loader_of_our_own_files(file: str, load: Callable[[Path], object], tmp_path: Path) -> None:
    source = embedded_path(f"{file}.safetensors")
    tensors = load_file(source)
    with safe_open(str(source), "pt") as opened:
        metadata = opened.metadata()
    name = next(name for name, value in tensors.items() if value.is_floating_point())
    tensors[name].view(-1)[0] = math.nan
    save_file(tensors, tmp_path / "w.safetensors", metadata=metadata)
    with pytest.raises(WeightsError, match=f"tensor {name} holds 1"):
        load(tmp_path / "w.safetensors")


class _Evil:
    def __reduce__(self) -> tuple[object, ...]:
        return Path.touch, (Path("evil"),)


def hostile(kind: str, path: Path) -> Path:
    """A small file that asks for code or for gigabytes."""
    if kind == "code in a zip":
        torch.save({"a": torch.ones(1), "b": _Evil()}, path)
    elif kind == "code in a pickle":
        path.write_bytes(pickle.dumps(_Evil()))
    elif kind == "header of 2 GB":
        path = path.with_suffix(".safetensors")
        path.write_bytes(struct.pack("<Q", 2**31) + b"{" * 1000)
        with path.open("r+b") as file:
            file.truncate(2**31 + 8)  # a hole: no bytes on disk
    elif kind == "header beyond the file":
        path = path.with_suffix(".safetensors")
        path.write_bytes(struct.pack("<Q", 2**63) + b"{}")
    elif kind == "tensor beyond the file":
        path = path.with_suffix(".safetensors")
        header = json.dumps({"a": {"dtype": "F32", "shape": [2**31], "data_offsets": [0, 2**33]}}).encode()
        path.write_bytes(struct.pack("<Q", len(header)) + header)
    elif kind == "zip bomb":
        torch.save({"a": torch.ones(1)}, path)
        with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive, archive.open("archive/x", "w") as member:
            for _ in range(600):
                member.write(bytes(2**20))
    elif kind == "one number for a terabyte":
        torch.save({"a": torch.ones(1).expand(2**38)}, path)
    elif kind == "array bomb":
        path = path.with_suffix(".npz")
        with (
            zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive,
            archive.open("a.npy", "w", force_zip64=True) as member,
        ):
            np.lib.format.write_array_header_1_0(member, {"descr": "<f4", "fortran_order": False, "shape": (2**28,)})
            for _ in range(1024):
                member.write(bytes(2**20))
    elif kind == "array beyond its member":
        path = path.with_suffix(".npz")
        start = io.BytesIO()
        np.lib.format.write_array_header_1_0(start, {"descr": "<f4", "fortran_order": False, "shape": (2**40,)})
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("a.npy", start.getvalue())
    elif kind == "objects in an array":
        path = path.with_suffix(".npz")
        np.savez(path, a=np.array([_Evil()], dtype=object))
    return path


KINDS = (
    *("code in a zip", "code in a pickle", "header of 2 GB", "header beyond the file", "tensor beyond the file"),
    *("zip bomb", "one number for a terabyte", "array bomb", "array beyond its member", "objects in an array"),
)

LIMITED = """
import resource, sys
from pathlib import Path
from vitiq.errors import InputError, WeightsError
from vitiq.metrics.sets.moments import load_statistics
from vitiq.models.backbones.formats import read_state
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
for path in sys.argv[1:]:
    try:
        read_state(Path(path))
    except WeightsError as error:
        assert "\\n" not in str(error) and "still be loaded" not in str(error), error
        print("refused", resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before, flush=True)
"""


def test_hostile_files_are_refused_in_little_memory(tmp_path: Path) -> None:
    paths = [hostile(kind, tmp_path / f"{i}.pth") for i, kind in enumerate(KINDS)]
    command = [sys.executable, "-c", LIMITED, *map(str, paths)]
    result = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False)
    lines = result.stdout.splitlines()
    assert len(lines) == len(KINDS), f"{KINDS[len(lines)]}: {result.stderr}"
    scale = 1024 if sys.platform == "darwin" else 1
    assert max(int(line.split()[1]) for line in lines) / scale < 64 * 1024, "kilobytes beyond the imports"
    assert not (tmp_path / "evil").exists()


def test_what_a_pickle_asks_for_is_named(tmp_path: Path) -> None:
    for kind in KINDS[:2]:
        with pytest.raises(WeightsError, match=r"asks for more than tensors: Unsupported (global|operand)"):
            read_checkpoint(hostile(kind, tmp_path / "evil.pth"))


def test_arrays_are_bounded_by_what_their_file_holds(tmp_path: Path) -> None:
    """NumPy allocates what a header says before it reads on: 400 bytes asked for 8 TB."""
    whole, lying = tmp_path / "whole.npz", tmp_path / "lying.npz"
    np.savez_compressed(whole, mu=np.zeros(100_000), sigma=np.ones((2, 2)))
    assert bounded_npz(whole)["mu"].shape == (100_000,)
    with pytest.raises(ValueError, match="at most 1000 are read"):
        bounded_npz(whole, 1000)
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "<f8", "fortran_order": False, "shape": (10**12,)})
    with zipfile.ZipFile(lying, "w") as archive:
        for name in ("mu", "sigma", "loss", "attention"):
            archive.writestr(f"{name}.npy", header.getvalue())
    with pytest.raises(ValueError, match=r"mu\.npy asks for an array of \(1000000000000,\)"):
        bounded_npz(lying)
    for read in (load_statistics, read_maps):
        with pytest.raises(InputError, match=r"lying\.npz: .*asks for an array"):
            read(lying)
    lying.write_bytes(whole.read_bytes()[:200])
    assert kept_arrays(lying) is None
    for read in (load_statistics, read_maps):
        with pytest.raises(InputError, match=r"lying\.npz"):
            read(lying)


def test_files_of_weights_and_arrays_have_one_reader_each() -> None:
    """Whatever reads them elsewhere leaves the bounds out."""
    sources = Path(vitiq.__file__).parent
    found = {
        path.relative_to(sources).as_posix()
        for path in sources.rglob("*.py")
        if re.search(r"\btorch\.load\(|\bnp\.load\(|\bread_array\(|\bload_file\(", path.read_text(encoding="utf-8"))
    }
    assert found == {"npz.py", "weights/checkpoint.py"}
