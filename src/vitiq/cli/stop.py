"""What Ctrl-C may and may not cut, and how it is reported."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


class StoppedHalfway(Exception):  # noqa: N818 - no error
    """Ctrl-C in work that the same command resumes."""


@contextmanager
def resumable() -> Iterator[None]:
    """Marks work whose finished parts are on disk, so that the message for Ctrl-C says so."""
    try:
        yield
    except KeyboardInterrupt as stopped:
        raise StoppedHalfway from stopped
