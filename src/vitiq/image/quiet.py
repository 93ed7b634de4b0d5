"""Keeps what image libraries say by themselves off standard error: a command says what is wrong, in one line.

libtiff prints its errors from C, whoever calls it; Pillow logs some. libjpeg, OpenJPEG, libwebp, libavif, libjxl and
LittleCMS are silent as Pillow and its plug-ins call them, which tests/hardening/test_damaged_files.py watches.

Source: libtiff, TIFFSetErrorHandler(3).
"""

from __future__ import annotations

import ctypes
import logging
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from functools import cache

from PIL import _imaging

logging.getLogger("PIL").addHandler(logging.NullHandler())  # else Python prints records that nobody asked for


class _Nowhere:
    """Standard error, as C knows it, led nowhere while at least one thread is in the block."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._inside = 0
        self._kept: int | None = None

    def __enter__(self) -> None:
        with self._lock:
            self._inside += 1
            if self._inside == 1:
                self._kept = _moved()

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._inside -= 1
            if self._inside == 0 and self._kept is not None:
                os.dup2(self._kept, 2)
                os.close(self._kept)
                self._kept = None


def _moved() -> int | None:
    """A copy of descriptor 2, which now leads nowhere; None where it is closed."""
    try:
        kept = os.dup(2)
        nowhere = os.open(os.devnull, os.O_WRONLY)
    except OSError:
        return None
    os.dup2(nowhere, 2)
    os.close(nowhere)
    return kept


NOWHERE = _Nowhere()


@contextmanager
def quiet() -> Iterator[None]:
    """No line of a decoder reaches standard error from inside, in any thread.

    Pillow's own libtiff is told once to say nothing, for the whole process, which no thread can feel. Where that
    library is out of reach (built into Pillow, as on Windows), standard error leads nowhere inside; what other threads
    write to it meanwhile is lost.
    """
    with nullcontext() if _libtiff_is_silent() else NOWHERE:
        yield


@cache
def _libtiff_is_silent() -> bool:
    """Tell Pillow's libtiff to report errors to nobody; False where it cannot be told."""
    try:
        library = ctypes.CDLL(_imaging.__file__)  # symbols of the libraries that it needs are found through it
        for name in ("TIFFSetErrorHandler", "TIFFSetErrorHandlerExt", "TIFFSetWarningHandler"):
            setter = library[name]
            setter.restype, setter.argtypes = ctypes.c_void_p, [ctypes.c_void_p]
            setter(None)
    except (OSError, AttributeError, TypeError):
        return False
    return True
