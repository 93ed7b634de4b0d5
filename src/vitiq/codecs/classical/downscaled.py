"""JPEG, WebP and AVIF of a smaller image, enlarged by the decoder: what these formats can do at very few bytes.

At full size their smallest files are often above a kilobyte or two, and near that floor they look far worse than a
smaller image enlarged. So that a comparison at such rates is fair, these codecs choose the size too. The file is a
.viq container with the image's size and the format's own file, about 40 bytes more than that.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping
from typing import ClassVar

import numpy as np

from vitiq.bitstream import container as viq
from vitiq.codecs.base import Codec
from vitiq.codecs.classical.pillow import Avif, Jpeg, PillowCodec, WebP
from vitiq.errors import BitstreamError, InputError
from vitiq.image.geometry import resize
from vitiq.types import ImageU8, ProgressCallback

FILE = 1
"""Section: the format's own file."""

FACTORS = (1, 1.5, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64)
"""How many times smaller the sides may be."""

SMALLEST_SIDE = 8
"""Smaller sides are not tried, unless they are the image's own."""


class Shrunk(Codec):
    """A format at the size that gives the smallest squared error. Quality is the number of bytes the file may have.

    A subclass names the format, and its lowest and highest quality.
    """

    inner: ClassVar[type[PillowCodec]]
    ends: ClassVar[tuple[int, int]]
    extension = ".viq"
    qualities = (400, 700, 1000, 1540, 2500, 4000)
    default_quality = 1540
    quality_help = "bytes the file may have; the smallest file of the format where none is so small"
    quality_range = None

    def encode(
        self, image: ImageU8, *, quality: float | None = None, progress: ProgressCallback | None = None
    ) -> bytes:
        """The file, of all sizes and qualities within the bytes, that is closest to the image.

        Sizes are tried from the smallest up, until one does not fit at all.

        Raises:
            InputError: less than one byte asked for, or an image that the format cannot hold.
        """
        del progress
        budget = self.default_quality if quality is None else quality
        if budget < 1:
            raise InputError(f"quality {budget:g} given for {self.name}, expected {self.quality_help}")
        height, width, _ = image.shape
        codec, best, least = self.inner(), None, b""
        for wide, high in self._sizes(width, height):
            small = resize(image, wide, high)
            file = self._largest_within(codec, small, budget - len(self._wrap(b"", width, height)))
            if file is None:
                # The smallest size's smallest file, where even that is too large.
                least = least or codec.encode(small, quality=self.ends[0])
                break
            error = squared_error(image, resize(codec.decode(file), width, height))
            if best is None or error < best[0]:
                best = error, file
        return self._wrap(least if best is None else best[1], width, height)

    def _sizes(self, width: int, height: int) -> Iterator[tuple[int, int]]:
        """Those of `sizes` that the format holds; the image's own where none is, for its error."""
        longest = self.inner.longest or max(width, height)
        fitting = [size for size in sizes(width, height) if max(size) <= longest]
        yield from fitting or [(width, height)]

    def _largest_within(self, codec: PillowCodec, image: ImageU8, budget: float) -> bytes | None:
        """The file of the highest quality of at most `budget` bytes, by bisection; None where none is so small."""
        bottom, top = self.ends
        best = codec.encode(image, quality=bottom)
        if len(best) > budget:
            return None
        bottom += 1
        while bottom <= top:
            middle = (bottom + top) // 2
            file = codec.encode(image, quality=middle)
            if len(file) <= budget:
                best, bottom = file, middle + 1
            else:
                top = middle - 1
        return best

    def _wrap(self, file: bytes, width: int, height: int) -> bytes:
        section = viq.Section(FILE, file)
        return viq.pack(viq.Container(self.name, width, height, b"", zlib.crc32(file), (section,)))

    def decode(self, data: bytes) -> ImageU8:
        """The enlarged image.

        Raises:
            BitstreamError: damaged or foreign.
        """
        container, small = self._read(data)
        return resize(small, container.width, container.height)

    def _read(self, data: bytes) -> tuple[viq.Container, ImageU8]:
        container = viq.unpack(data)
        if container.codec != self.name:
            raise BitstreamError(f"a file of codec {container.codec} given to the {self.name} decoder; use that codec")
        file = container.section(FILE)
        if zlib.crc32(file) != container.symbols_crc:
            raise BitstreamError(f"the {self.inner.title} file inside does not match its checksum; the file is damaged")
        small = self.inner().decode(file)
        if small.shape[0] > container.height or small.shape[1] > container.width:
            raise BitstreamError("the image inside is larger than the file says; the file is damaged")
        return container, small

    def notes(self, data: bytes) -> list[str]:
        """Says at which size the format's file is."""
        container, small = self._read(data)
        height, width, _ = small.shape
        if (width, height) == (container.width, container.height):
            return []
        return [f"coded at {width}×{height} and enlarged to {container.width}×{container.height}"]

    def settings(self) -> Mapping[str, object]:
        """The format's settings, and the sizes tried."""
        return {**self.inner().settings(), "factors": FACTORS, "enlarged": "Lanczos"}

    def sections(self, data: bytes) -> Mapping[str, int]:
        """Container and the format's file."""
        inside = viq.section_sizes(data)[FILE]
        return {"header": len(data) - inside, "file": inside}


def sizes(width: int, height: int) -> Iterator[tuple[int, int]]:
    """Sizes (width, height) to try, smallest first, the image's own last."""
    for factor in reversed(FACTORS[1:]):
        wide, high = round(width / factor), round(height / factor)
        if min(wide, high) >= SMALLEST_SIDE:
            yield wide, high
    yield width, height


def squared_error(a: ImageU8, b: ImageU8) -> float:
    """Mean squared difference."""
    return float(np.square(a.astype(np.float32) - b).mean(dtype=np.float64))


class ShrunkJpeg(Shrunk):
    """JPEG of a smaller image."""

    name = "jpeg-shrunk"
    title = "JPEG, shrunk"
    inner = Jpeg
    ends = (1, 100)


class ShrunkWebP(Shrunk):
    """WebP of a smaller image."""

    name = "webp-shrunk"
    title = "WebP, shrunk"
    inner = WebP
    ends = (0, 100)


class ShrunkAvif(Shrunk):
    """AVIF of a smaller image."""

    name = "avif-shrunk"
    title = "AVIF, shrunk"
    inner = Avif
    ends = (0, 100)
