"""Quantised coefficients of a JPEG file, as it holds them, by libjpeg-turbo through jpeglib.

Why a reader and not the decoded pixels: docs/adr/0023-jpeg-coefficients.md. The reader gets a file without metadata
that Pillow decoded whole before: jpeglib leaves error messages on standard error, and libjpeg ends the process on some
damaged headers.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from jaxtyping import Int, Int16, Int64

from vitiq.errors import InputError
from vitiq.temporary import named_for_a_while

Space = Literal["grey", "ycc", "rgb"]

_SPACES: dict[str, Space] = {"JCS_GRAYSCALE": "grey", "JCS_YCbCr": "ycc", "JCS_RGB": "rgb"}

_ONE_AT_A_TIME = threading.Lock()
"""jpeglib keeps what it reads in global variables."""


@dataclass(frozen=True, slots=True)
class Component:
    """One component of a JPEG.

    Attributes:
        quantised: coefficients in steps, blocks by row and column, coefficients row after row (vertical frequency
            first).
        table: steps of the coefficients, in the same order.
        down, across: how many times coarser its samples are than the image's rows and columns.
    """

    quantised: Int16[np.ndarray, "i j 64"]
    table: Int64[np.ndarray, " 64"]
    down: int
    across: int


@dataclass(frozen=True, slots=True)
class Coefficients:
    """What a JPEG file holds.

    Attributes:
        height, width: of the image, before it is turned.
        space: what the components are.
        components: one of grey, three of luma and chroma or of RGB.
    """

    height: int
    width: int
    space: Space
    components: tuple[Component, ...]


def read_coefficients(data: bytes, name: str) -> Coefficients:
    """The coefficients of a JPEG that was decoded without fault before.

    Args:
        data: the file, best without metadata.
        name: stands in messages.

    Raises:
        InputError: a kind of JPEG that is not corrected: CMYK, or luma coarser than chroma.
    """
    import jpeglib  # noqa: PLC0415 - slow to import

    with _ONE_AT_A_TIME, named_for_a_while(data, ".jpg") as path:
        try:
            with jpeglib.version("turbo210"):
                found = jpeglib.read_dct(str(path))
                found.load()
        except (OSError, RuntimeError) as error:
            raise InputError(f"{name}: the coefficients of this JPEG cannot be read; save it again as JPEG") from error
    space = _SPACES.get(str(found.jpeg_color_space))
    if space is None:
        raise InputError(
            f"{name}: a JPEG of {found.num_components} inks given, grey or colour expected; convert it to RGB"
        )
    planes = (found.Y,) if space == "grey" else (found.Y, found.Cb, found.Cr)
    factors = np.asarray(found.samp_factor)[: len(planes)]
    most = factors.max(axis=0)
    if bool((most % factors).any()) or bool((factors[0] != most).any()):
        raise InputError(f"{name}: a JPEG whose chroma is finer than its luma, which is not corrected; save it again")
    components = tuple(
        _component(plane, found.get_component_qt(index), most // factors[index]) for index, plane in enumerate(planes)
    )
    return Coefficients(found.height, found.width, space, components)


def _component(plane: Any, table: Any, factors: Int[np.ndarray, " 2"]) -> Component:
    rows, columns = plane.shape[:2]
    steps = np.asarray(table).astype(np.int64).reshape(64)
    return Component(np.ascontiguousarray(plane.reshape(rows, columns, 64)), steps, int(factors[0]), int(factors[1]))
