"""Files for readers that take paths."""

from __future__ import annotations

import functools
import os
import tempfile
from pathlib import Path

_kept: list[tempfile.TemporaryDirectory[str]] = []


@functools.cache
def folder() -> Path:
    """For readers of paths; in memory where that is possible, and gone with the process that made it."""
    root = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    given = os.environ.get("VITIQ_HARDENING_FOLDER")
    if given is not None:
        return Path(given)
    _kept.append(tempfile.TemporaryDirectory(prefix="vitiq-hardening-", dir=root))
    return Path(_kept[-1].name)


def write_file(name: str, data: bytes) -> Path:
    """A file of this process with that content."""
    path = folder() / f"{os.getpid()}-{name}"
    path.write_bytes(data)
    return path
