"""Colour as an EXIF block states it, for files without a profile.

Cameras that take images in Adobe RGB without embedding its profile say so by ColorSpace 65535 (uncalibrated) and the
interoperability index R03. Source: Exif 2.32, tags 40961 (ColorSpace), 40965 (Interoperability IFD), 42240 (Gamma);
DCF 2.0, 4.3 (optional colour space); Adobe RGB (1998) colour image encoding, 4.3 (gamma 563/256, primaries).
"""

from __future__ import annotations

from vitiq.image.colour_space import Tag, from_chromaticities, power
from vitiq.image.ifd import DamagedTagsError, Directory, directory_at, first_directory
from vitiq.image.limits import MAX_METADATA_BYTES

EXIF_IFD, COLOUR_SPACE, INTEROPERABILITY = 34665, 40961, 40965
INDEX = 1
UNCALIBRATED, WIDE = 65_535, 2
"""ColorSpace values: 2 is no standard one, some cameras write it for Adobe RGB."""

ADOBE_RGB = from_chromaticities(
    "Adobe RGB (stated in its EXIF)",
    power(563 / 256),
    ((0.3127, 0.3290), (0.64, 0.33), (0.21, 0.71), (0.15, 0.06)),
)
UNNAMED = "its EXIF states a colour space that it does not name, read as sRGB"


def colour_from_exif(block: bytes) -> Tag | None:
    """The colour that an EXIF block states; None where it states none, or sRGB, or cannot be read."""
    block = block.removeprefix(b"Exif\x00\x00")
    if not block or len(block) > MAX_METADATA_BYTES:
        return None
    try:
        return colour_of(first_directory(block))
    except DamagedTagsError:
        return None


def colour_of(top: Directory) -> Tag | None:
    """As `colour_from_exif`, from the first directory of a block or a TIFF; raises DamagedTagsError."""
    if EXIF_IFD not in top.entries:
        return None
    exif = directory_at(top, top.number(EXIF_IFD, 0))
    space = exif.number(COLOUR_SPACE, 1)
    if space == WIDE:
        return Tag(ADOBE_RGB)
    if space != UNCALIBRATED:
        return None
    if INTEROPERABILITY in exif.entries:
        index = directory_at(top, exif.number(INTEROPERABILITY, 0)).raw(INDEX) or b""
        if index.startswith(b"R03"):
            return Tag(ADOBE_RGB)
    return Tag(note=UNNAMED)
