"""How an image is to be turned, and turning it: EXIF 2.32 and TIFF 6.0, tag 274, values 1 … 8."""

from __future__ import annotations

import numpy as np
from jaxtyping import UInt

from vitiq.image.ifd import DamagedTagsError, first_directory
from vitiq.image.limits import MAX_METADATA_BYTES

ORIENTATION = 274
NOTE = "turned by its stated orientation"
UNREADABLE = "unreadable EXIF ignored"


def from_exif(exif: bytes, notes: list[str]) -> int:
    """The orientation an EXIF block states; 1 where it states none or an undefined one. A broken block is noted."""
    exif = exif.removeprefix(b"Exif\x00\x00")
    if not exif or len(exif) > MAX_METADATA_BYTES:
        return 1
    try:
        return valid(first_directory(exif).number(ORIENTATION, 1))
    except DamagedTagsError:
        notes.append(UNREADABLE)
        return 1


def valid(value: int) -> int:
    """1 for every value that the standard does not define: nothing is turned then."""
    return value if 1 <= value <= 8 else 1


def turn(samples: UInt[np.ndarray, "_ _ *c"], orientation: int) -> UInt[np.ndarray, "_ _ *c"]:
    """Rows and columns as they are to be shown. The values are moved, never computed."""
    if orientation >= 5:  # the file's rows are columns
        samples = np.swapaxes(samples, 0, 1)
    if orientation in {2, 3, 6, 7}:
        samples = samples[:, ::-1]
    if orientation in {3, 4, 7, 8}:
        samples = samples[::-1]
    return samples
