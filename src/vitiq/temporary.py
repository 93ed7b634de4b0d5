"""Files and folders for programs and readers that take names alone, among the system's temporary ones."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from vitiq.errors import FULL, InputError
from vitiq.files import write_bytes


@contextmanager
def temporary_folder() -> Iterator[Path]:
    """An empty folder among the system's temporary ones; it goes with the block.

    Raises:
        InputError: its disk is full, also where that shows within the block, or no such folder can be written.

    Example:
        >>> with temporary_folder() as folder:
        ...     found = folder.is_dir()
        >>> found, folder.exists()
        (True, False)
    """
    with space_for_temporary(), tempfile.TemporaryDirectory(prefix="vitiq-") as name:
        yield Path(name)


@contextmanager
def named_for_a_while(data: bytes, suffix: str) -> Iterator[Path]:
    """A file in the system's folder for temporary ones, for a reader that takes names alone; it goes with the block.

    Raises:
        InputError: as `temporary_folder`.
    """
    with temporary_folder() as folder:
        path = folder / f"data{suffix}"
        write_bytes(path, data)
        yield path


@contextmanager
def space_for_temporary() -> Iterator[None]:
    """Say what a full disk means for temporary files: the path in the system's own words is none that a user named.

    Raises:
        InputError: as `temporary_folder`.
    """
    cure = "free some space, or set TMPDIR to another folder"
    try:
        place = tempfile.gettempdir()
    except OSError as error:
        raise InputError(f"no temporary file can be written ({error.strerror}); {cure}") from error
    try:
        yield
    except (OSError, InputError) as error:
        cause = error if isinstance(error, OSError) else error.__cause__
        if not isinstance(cause, OSError) or cause.errno not in FULL:
            raise
        raise InputError(f"{place}: no space for temporary files ({cause.strerror}); {cure}") from cause
