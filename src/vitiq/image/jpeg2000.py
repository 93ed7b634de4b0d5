"""JPEG 2000 colour of more than 8 bits, sample by sample: Pillow, which reads the rest, cuts it to 8 without rounding.

Read by OpenJPEG through pylibjpeg-openjpeg, an optional package. Only what needs no conversion is taken: unsigned or
signed components of one depth, none of them at a lower resolution, grey or RGB with or without alpha, or CMYK.

Source: ISO/IEC 15444-1, annexes A.5.1 (SIZ: depth, sign, subsampling), I.5.3.3 (enumerated colour spaces).
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Shaped, UInt

from vitiq.errors import InputError
from vitiq.image.boxes import Jp2Header
from vitiq.image.depth import depth_note, stretch
from vitiq.image.limits import check_pixels
from vitiq.image.raster import Model, Raster

_SYCC, _CMYK = 18, 12
_LAYOUTS: dict[int, tuple[Model, bool]] = {2: ("grey", True), 3: ("rgb", False), 4: ("rgb", True)}
"""Components -> what they are, and whether the last of them is alpha."""
_INKS: tuple[Model, bool] = ("cmyk", False)


def read_deep_colour(data: bytes, header: Jp2Header, name: str) -> Raster:
    """The image of a JPEG 2000 file whose components have one depth of 9 to 16 bits, as uint16.

    Raises:
        InputError: too many pixels, the optional package is missing, sYCC, subsampled, or an odd number of components.
        RuntimeError: damaged.
    """
    check_pixels(*header.size, name)
    bits = header.bits[0]
    _refuse(header, name)
    model, alpha = _INKS if header.space == _CMYK else _LAYOUTS[len(header.bits)]
    values = _decoded(data, header, name)
    if header.signed:  # the middle of the range is 0 (15444-1, G.1)
        values = values.astype(np.int32) + 2 ** (bits - 1)
    samples: UInt[np.ndarray, "h w c"] = stretch(values.astype(np.uint16), bits)
    note = [depth_note(bits)]
    return (
        Raster(samples[:, :, :-1], model, samples[:, :, -1], notes=note)
        if alpha
        else Raster(samples, model, notes=note)
    )


def _refuse(header: Jp2Header, name: str) -> None:
    what = f"{name}: JPEG 2000 colour of {header.bits[0]} bits"
    if header.space == _SYCC:
        raise InputError(f"{what} in sYCC, which vitiq cannot decode exactly; convert it to a 16-bit PNG or TIFF")
    if header.subsampled:
        raise InputError(f"{what}, subsampled, which vitiq cannot decode exactly; convert it to a 16-bit PNG or TIFF")
    if len(header.bits) not in _LAYOUTS or (header.space == _CMYK and len(header.bits) != 4):
        raise InputError(f"{what} with {len(header.bits)} components; convert it to a 16-bit PNG or TIFF")


def _decoded(data: bytes, header: Jp2Header, name: str) -> Shaped[np.ndarray, "h w c"]:
    try:
        from openjpeg.utils import decode  # noqa: PLC0415 - optional
    except ImportError as error:
        raise InputError(
            f"{name}: JPEG 2000 colour of {header.bits[0]} bits is read by an optional package; "
            "run: pip install 'vitiq[jpeg2000]'"
        ) from error
    values = np.asarray(decode(data))
    width, height = header.size
    if values.shape != (height, width, len(header.bits)):
        raise ValueError(f"{values.shape} samples decoded, {(height, width, len(header.bits))} are stated")
    return values
