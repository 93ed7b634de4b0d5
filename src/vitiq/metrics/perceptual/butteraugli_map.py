"""Butteraugli of large images, tile by tile: libjxl's own map of differences, pooled as libjxl pools it.

`butteraugli_main` needs about 250 bytes for each pixel. Its filters reach 71 pixels (half-resolution pass included,
which is why tiles begin at even places), so that a tile with more than that around it has the map of the whole image,
but for the rounding of its sums (up to 1e-5 in single pixels; the six decimals of the 3-norm stay). The map comes from
the program itself (`--rawdistmap`, libjxl 0.8 and newer), and for libjxl 0.7, whose program writes no map, from its
library, called as the program calls it.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Float32

from vitiq.errors import UndefinedError
from vitiq.metrics.programs import answer_of, output_of
from vitiq.temporary import temporary_folder
from vitiq.types import ImageU8

LARGE = 2**22
"""Pixels from which on an image is cut: the program needs a gigabyte for as many."""

SIDE = 1536
AROUND = 96
LIBRARY = "libjxl.so.0.7"
POWERS = (3, 6, 12)

Map = Float32[np.ndarray, "h w"]
MapOf = Callable[[ImageU8, ImageU8, float], Map]
"""From a reference, a distorted image and a brightness in nits to the map of differences."""


class Pooled(NamedTuple):
    """The mean of libjxl's 3-, 6- and 12-norm, which it calls the 3-norm, and the largest difference."""

    norm: float
    largest: float


class Tile(NamedTuple):
    """A part of an image, and the larger part whose map is right there."""

    inner: tuple[slice, slice]
    outer: tuple[slice, slice]


def map_source(program: str) -> MapOf | None:
    """What gives the map of differences that belongs to a `butteraugli_main`; None where nothing does."""
    if _writes_maps(program):
        return lambda reference, distorted, nits: map_by_program(program, reference, distorted, nits)
    return None if _library() is None else map_by_library


def pooled_by_tiles(
    map_of: MapOf, reference: ImageU8, distorted: ImageU8, nits: float, *, side: int = SIDE, around: int = AROUND
) -> Pooled:
    """Butteraugli of two images of one size.

    Args:
        side: of a tile, even.
        around: pixels that a tile's map is computed with on each side, even.
    """
    sums, largest = np.zeros(len(POWERS)), 0.0
    height, width, _ = reference.shape
    for tile in _tiles(height, width, side, around):
        a, b = (np.ascontiguousarray(image[tile.outer]) for image in (reference, distorted))
        found = map_of(a, b, nits)[tuple(_within(*pair) for pair in zip(tile.inner, tile.outer, strict=True))]
        largest = max(largest, float(found.max()))
        power = found.astype(np.float64) ** POWERS[0]
        for i in range(len(POWERS)):
            sums[i] += power.sum()
            power *= power
    means = sums / (height * width)
    return Pooled(float(np.mean([mean ** (1 / p) for mean, p in zip(means, POWERS, strict=True)])), largest)


def _tiles(height: int, width: int, side: int, around: int) -> Iterator[Tile]:
    for top in range(0, height, side):
        for left in range(0, width, side):
            inner = (slice(top, min(height, top + side)), slice(left, min(width, left + side)))
            sizes = (height, width)
            outer = [
                slice(max(0, s.start - around), min(n, s.stop + around)) for s, n in zip(inner, sizes, strict=True)
            ]
            yield Tile(inner, (outer[0], outer[1]))


def _within(inner: slice, outer: slice) -> slice:
    return slice(inner.start - outer.start, inner.stop - outer.start)


@lru_cache(maxsize=4)
def _writes_maps(program: str) -> bool:
    return "--rawdistmap" in answer_of(program)


def write_pair(folder: Path, reference: ImageU8, distorted: ImageU8) -> tuple[str, str]:
    """Two images as PPM files, which are the fastest to write and to read; their names."""
    names = ("reference.ppm", "distorted.ppm")
    for name, image in zip(names, (reference, distorted), strict=True):
        height, width, _ = image.shape
        with (folder / name).open("wb") as file:
            file.write(f"P6\n{width} {height}\n255\n".encode())
            file.write(np.ascontiguousarray(image).data)
    return names


def map_by_program(program: str, reference: ImageU8, distorted: ImageU8, nits: float) -> Map:
    """The map that `butteraugli_main --rawdistmap` writes: a PFM file, whose last row comes first.

    Raises:
        UndefinedError: the program fails, or writes something else.
    """
    height, width, _ = reference.shape
    with temporary_folder() as folder:
        names = write_pair(folder, reference, distorted)
        output_of([program, *names, "--intensity_target", f"{nits:g}", "--rawdistmap", "map.pfm"], folder)
        try:
            data = (folder / "map.pfm").read_bytes()
        except OSError as error:
            raise UndefinedError(f"{Path(program).name} wrote no map of differences") from error
    head, values = f"Pf\n{width} {height}\n-1.0\n".encode(), 4 * width * height
    if not data.startswith(head) or len(data) != len(head) + values:
        raise UndefinedError(f"{Path(program).name} wrote a map of another size than the images")
    return np.frombuffer(data, "<f4", offset=len(head)).reshape(height, width)[::-1].astype(np.float32)


class _PixelFormat(ctypes.Structure):
    """`JxlPixelFormat`: channels, type (2 is uint8), byte order, alignment of rows."""

    _fields_ = [
        ("channels", ctypes.c_uint32),
        ("type", ctypes.c_int),
        ("endianness", ctypes.c_int),
        ("align", ctypes.c_size_t),
    ]


@lru_cache(maxsize=1)
def _library() -> ctypes.CDLL | None:
    """libjxl 0.7 with the functions of its jxl/butteraugli.h."""
    try:
        library = ctypes.CDLL(LIBRARY)
        handle, number, real = ctypes.c_void_p, ctypes.c_uint32, ctypes.c_float
        image = (ctypes.POINTER(_PixelFormat), handle, ctypes.c_size_t)
        library.JxlButteraugliApiCreate.argtypes = [handle]
        library.JxlButteraugliApiCreate.restype = handle
        library.JxlButteraugliApiSetHFAsymmetry.argtypes = [handle, real]
        library.JxlButteraugliApiSetIntensityTarget.argtypes = [handle, real]
        library.JxlButteraugliApiDestroy.argtypes = [handle]
        library.JxlButteraugliCompute.argtypes = [handle, number, number, *image, *image]
        library.JxlButteraugliCompute.restype = handle
        library.JxlButteraugliResultGetDistmap.argtypes = [
            handle,
            ctypes.POINTER(ctypes.POINTER(real)),
            ctypes.POINTER(number),
        ]
        library.JxlButteraugliResultDestroy.argtypes = [handle]
    except (OSError, AttributeError):
        return None
    return library


def map_by_library(reference: ImageU8, distorted: ImageU8, nits: float) -> Map:
    """The map of libjxl 0.7's library, at the settings of its program.

    Raises:
        UndefinedError: the library is not found, or refuses the images.
    """
    library = _library()
    api = None if library is None else library.JxlButteraugliApiCreate(None)
    if library is None or api is None:
        raise UndefinedError(f"{LIBRARY} cannot be used")
    try:
        library.JxlButteraugliApiSetHFAsymmetry(api, 0.8)
        library.JxlButteraugliApiSetIntensityTarget(api, nits)
        height, width, _ = reference.shape
        form = _PixelFormat(3, 2, 0, 0)
        buffers = [part for image in (reference, distorted) for part in (form, image.ctypes.data, image.nbytes)]
        result = library.JxlButteraugliCompute(api, width, height, *buffers)
    finally:
        library.JxlButteraugliApiDestroy(api)
    if result is None:
        raise UndefinedError(f"{LIBRARY} refuses images of {width}×{height} pixels")
    try:
        first, stride = ctypes.POINTER(ctypes.c_float)(), ctypes.c_uint32()
        library.JxlButteraugliResultGetDistmap(result, ctypes.byref(first), ctypes.byref(stride))
        return np.array(np.ctypeslib.as_array(first, (height, stride.value))[:, :width])
    finally:
        library.JxlButteraugliResultDestroy(result)
