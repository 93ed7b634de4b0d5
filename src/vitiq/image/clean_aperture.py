"""The part of a decoded image that is meant to be seen, as AVIF files state it (property `clap`).

Source: ISO/IEC 14496-12, 12.1.4 (clean aperture); 23000-22, 7.3.6.7 (it is applied first, before turning, and lies on
whole pixels). libavif hands on the whole image and leaves the cut to its callers.
"""

from __future__ import annotations

from fractions import Fraction

from vitiq.image.raster import Raster

CROPPED, UNUSABLE = "cut to its clean aperture", "unusable clean aperture ignored"


def cut(raster: Raster, numbers: tuple[int, ...]) -> None:
    """Cut a raster to its clean aperture, with a note; an aperture that lies between pixels or outside is ignored.

    Args:
        raster: an image that is not yet turned.
        numbers: numerators and denominators of width, height, and of how far its centre lies right of and below the
            image's.
    """
    height, width = raster.samples.shape[:2]
    columns, rows = _span(width, numbers[0:2], numbers[4:6]), _span(height, numbers[2:4], numbers[6:8])
    if columns is None or rows is None:
        raster.notes.append(UNUSABLE)
        return
    if (rows.stop - rows.start, columns.stop - columns.start) == (height, width):
        return
    raster.samples = raster.samples[rows, columns]
    raster.alpha = None if raster.alpha is None else raster.alpha[rows, columns]
    raster.notes.append(CROPPED)


def _span(length: int, size: tuple[int, ...], offset: tuple[int, ...]) -> slice | None:
    if not size[1] or not offset[1]:
        return None
    part = Fraction(size[0], size[1])
    start = Fraction(offset[0], offset[1]) + Fraction(length - 1, 2) - (part - 1) / 2
    if part.denominator != 1 or start.denominator != 1 or part < 1 or start < 0 or start + part > length:
        return None
    return slice(int(start), int(start + part))
