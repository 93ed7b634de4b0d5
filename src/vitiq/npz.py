"""Arrays of .npz files from anywhere: nothing in one is executed, and what it asks for is bounded before it is made."""

from __future__ import annotations

import math
import zipfile
from pathlib import Path

import numpy as np

LARGEST = 2**30
"""Bytes that a file may unpack to, where the caller states no other number: 1 GiB."""

_HEADERS = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}


def bounded_npz(path: Path, largest: int = LARGEST) -> dict[str, np.ndarray]:
    """The arrays of a file, each no larger than its member of the archive says.

    Args:
        path: of the file.
        largest: bytes that it may unpack to.

    Raises:
        OSError: it cannot be read.
        ValueError: damaged, no .npz file, larger, or with an array of Python objects; in words that follow a path.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            unpacked = sum(member.file_size for member in archive.infolist())
            if unpacked > largest:
                raise ValueError(f"unpacks to {unpacked} bytes, at most {largest} are read")
            return {member.filename.removesuffix(".npy"): _array(archive, member) for member in archive.infolist()}
    except (OSError, ValueError):
        raise
    except Exception as error:  # zipfile, zlib and tokenize each raise their own on damaged bytes
        raise ValueError(f"no .npz file, or a damaged one: {error}") from error


def _array(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> np.ndarray:
    """One array: NumPy allocates what its header says before it reads it, so the header is checked first."""
    with archive.open(member) as file:
        version = np.lib.format.read_magic(file)
        if version not in _HEADERS:
            raise ValueError(f"array format {version}")
        shape, _, dtype = _HEADERS[version](file)
    if dtype.hasobject or math.prod(shape) * dtype.itemsize > member.file_size:
        raise ValueError(f"{member.filename} asks for an array of {shape} of {dtype}")
    with archive.open(member) as file:
        return np.asarray(np.lib.format.read_array(file, allow_pickle=False))
