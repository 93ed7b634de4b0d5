"""Every limit on what an image file may ask for, in one place: commands, the Python interface and the viewer share it.

What is decoded is bounded before it is decoded, so a small file can ask for no more than this. Nothing here is a
setting: who has larger images shrinks them or cuts them into tiles.
"""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path

from vitiq.errors import InputError, unreadable

MAX_PIXELS = 2 * 89_478_485
"""Width × height of one image: 178,956,970 pixels. Larger ones are refused from their header."""

MAX_FILE_BYTES = 2**31
"""Bytes of one file: 2 GiB. Larger ones are refused before they are read. Of tables and settings `vitiq.text` takes
256 MiB."""

MAX_PROFILE_BYTES = 8 * 2**20
"""Bytes of an ICC profile, decompressed: 8 MiB. Larger ones are ignored, with a note."""

MAX_METADATA_BYTES = 2**20
"""Bytes of an EXIF block that is looked at: 1 MiB. Larger ones are passed over. Text is never decompressed."""

MAX_FRAMES = 10_000
"""Frames or pages that are counted; only the first is ever decoded."""

MAX_CHUNKS = 1_000_000
"""PNG chunks, JPEG segments, ISO boxes, TIFF strips and tiles of a file: a bound on the time spent on headers."""

MAX_SCANS = 100
"""Scans of a progressive JPEG. Encoders write about 10; each further one costs the time of a whole decoding."""

_ADDRESS = re.compile(r"(https?|ftp|s3|gs|file):/|data:", re.IGNORECASE)
"""How addresses begin that people give for files."""

BROKEN_LINK = "a link that leads to no file; mend or remove it"


def check_pixels(width: int, height: int, name: str) -> None:
    """Refuse an image before it is decoded.

    Raises:
        InputError: more than `MAX_PIXELS`, or no pixel.
    """
    if width < 1 or height < 1:
        raise InputError(f"{name}: {width}×{height} pixels given, sides of at least 1 are expected; get the file again")
    if width * height > MAX_PIXELS:
        raise InputError(
            f"{name}: {width}×{height} pixels given, at most {MAX_PIXELS} are read; shrink it or cut it into tiles"
        )


def read_bounded(path: Path, expected: str = "an image file") -> bytes:
    """The bytes of a file, at most `MAX_FILE_BYTES`.

    Args:
        path: a file or a pipe. A device (/dev/zero) has no end and is refused, but for /dev/null, which is empty.
        expected: what the file is to be, in words.

    Raises:
        InputError: missing, a folder, a device, unreadable, or larger.
    """
    try:
        with path.open("rb") as file:
            found = os.fstat(file.fileno())
            if _is_device(found):
                raise InputError(f"{path}: is a device, {expected} is expected")
            data = file.read(MAX_FILE_BYTES + 1) if found.st_size <= MAX_FILE_BYTES else None
    except FileNotFoundError as error:
        raise InputError(no_file(path)) from error
    except IsADirectoryError as error:
        raise InputError(f"{path}: is a folder, {expected} is expected; name a file in it") from error
    except OSError as error:
        raise InputError(unreadable(path, error)) from error
    except ValueError as error:  # a NUL in the name
        raise InputError(f"{str(path)!r}: not a file name ({error}); check the path") from error
    if data is None or len(data) > MAX_FILE_BYTES:
        raise InputError(f"{path}: more than {MAX_FILE_BYTES} bytes given, above the limit for input; shrink it")
    return data


def no_file(path: Path, expected: str = "file") -> str:
    """What is said of a name that leads to nothing."""
    if said := address(str(path)):
        return said
    if path.is_symlink():
        return f"{path}: {BROKEN_LINK}"
    return f"{path}: no such {expected}; check the path"


def address(text: str) -> str | None:
    """What is said of the address of a page or an object, also where `Path` has made one slash of its two; else None.

    Example:
        >>> address("https:/example.org/a.png")
        'the address https://example.org/a.png given; nothing is downloaded: save the file and give its path'
    """
    if not _ADDRESS.match(text):
        return None
    whole = re.sub(r"^(\w+:)/+", r"\1//", text)
    return f"the address {whole} given; nothing is downloaded: save the file and give its path"


def _is_device(found: os.stat_result) -> bool:
    null = Path(os.devnull).stat()
    return (stat.S_ISCHR(found.st_mode) or stat.S_ISBLK(found.st_mode)) and found.st_rdev != null.st_rdev
