"""Keeps what image libraries say by themselves off standard error: a command says what is wrong, in one line.

What libtiff says of damaged pixels is heard, though, since it says it and goes on: fax coding that is broken comes out
as white rows, and its caller hears that all went well.

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

    Pillow's own libtiff is set once to say nothing, for the whole process, which no thread can feel. Where that
    library is out of reach (built into Pillow, as on Windows), standard error leads nowhere inside; what other threads
    write to it meanwhile is lost.
    """
    with nullcontext() if _libtiff_is_silent() else NOWHERE:
        yield


_HEARD = threading.local()
_DECODERS = ("Fax", "JPEG", "OJPEG", "LZW", "ZIP", "PackBits", "LZMA", "ZSTD", "ThunderDecode", "NeXTDecode")
"""Beginnings of the names under which libtiff's decoders report; others speak of tags, which stop no image."""


@contextmanager
def refusing_damage() -> Iterator[None]:
    """Raise where libtiff reports damaged pixels inside, in this thread, though it goes on.

    Nothing is heard where Pillow's libtiff is out of reach (see `quiet`).

    Raises:
        ValueError: it did.
    """
    heard: list[str] = []
    _HEARD.modules = heard
    try:
        yield
    finally:
        _HEARD.modules = None
    if heard:
        raise ValueError(f"libtiff reports damaged pixels, {len(heard)} times ({heard[0]})")


def _hear(_client: int | None, module: bytes | None, _text: bytes | None, _values: int | None) -> None:
    name = (module or b"").decode("ascii", "replace")
    heard = getattr(_HEARD, "modules", None)
    if heard is not None and name.startswith(_DECODERS):
        heard.append(name)


_HANDLER = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_char_p, ctypes.c_char_p, ctypes.c_void_p)(_hear)
"""TIFFErrorHandlerExt: client data, module, format, its values (never looked at). Kept, for C keeps its address."""


@cache
def _libtiff_is_silent() -> bool:
    """Tell Pillow's libtiff to report errors to us alone; False where it cannot."""
    try:
        library = ctypes.CDLL(_imaging.__file__)  # symbols of the libraries that it needs are found through it
        ours = ctypes.cast(_HANDLER, ctypes.c_void_p)
        handlers = {"TIFFSetErrorHandler": None, "TIFFSetErrorHandlerExt": ours, "TIFFSetWarningHandler": None}
        for name, handler in handlers.items():
            setter = library[name]
            setter.restype, setter.argtypes = ctypes.c_void_p, [ctypes.c_void_p]
            setter(handler)
    except (OSError, AttributeError, TypeError):
        return False
    return True
