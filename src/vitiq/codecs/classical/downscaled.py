"""JPEG, WebP and AVIF of a smaller image, enlarged by the decoder: what these formats can do at very few bytes.

At full size their smallest files are often above a kilobyte or two, and near that floor they look far worse than a
smaller image enlarged. So that a comparison at such rates is fair, these codecs choose the size too. The file is a
.viq container with the image's size and the format's own file, about 40 bytes more than that.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping, Sequence
from typing import ClassVar

import numpy as np

from vitiq.bitstream import container as viq
from vitiq.codecs.classical.pillow import Avif, Jpeg, PillowCodec, WebP
from vitiq.codecs.rate_target import encode_within
from vitiq.codecs.viq_codec import Contents, ViqCodec
from vitiq.errors import BitstreamError
from vitiq.image.geometry import resize
from vitiq.types import Bytes, ImageU8, ProgressCallback

FILE = 1
"""Section: the format's own file."""

FACTORS = (1, 1.5, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64)
"""How many times smaller the sides may be."""

SMALLEST_SIDE = 8
"""Smaller sides are not tried, unless they are the image's own."""


class Downscaled(ViqCodec):
    """A format at the size that gives the smallest squared error. Quality is the number of bytes the file may have.

    A subclass names the format.
    """

    inner: ClassVar[type[PillowCodec]]
    qualities = (400, 700, 1000, 1540, 2500, 4000)
    default_quality = 1540
    quality_help = "maximum size of the file in bytes, from 1; the format's smallest file if none is that small"
    quality_range = None
    section_names = {FILE: "file"}  # noqa: RUF012 - a constant

    def __init__(self, **options: object) -> None:
        super().__init__(**options)
        self._inner = self.inner(**options)

    def compress(self, image: ImageU8, quality: float, progress: ProgressCallback | None = None) -> bytes:
        """The file, of all sizes and qualities within the bytes, that is closest to the image.

        Sizes are tried from the smallest up, until one does not fit at all.

        Raises:
            InputError: an image that the format cannot hold.
        """
        del progress
        height, width, _ = image.shape
        space = int(quality) - len(self._wrap(b"", width, height))
        best: tuple[float, bytes] | None = None
        smallest = b""
        for wide, high in self._sizes(width, height):
            small = resize(image, wide, high)
            found = encode_within(self._inner, small, Bytes(max(1, space)), thorough=False)  # one of several sizes
            if not found.reached:
                # The smallest size's smallest file, where even that is too large.
                smallest = smallest or found.data
                break
            error = squared_error(image, resize(self._inner.decode(found.data), width, height))
            if best is None or error < best[0]:
                best = error, found.data
        return self._wrap(smallest if best is None else best[1], width, height)

    def _sizes(self, width: int, height: int) -> Iterator[tuple[int, int]]:
        """Those of `sizes` that the format holds; the image's own where none is, for its error."""
        longest = self.inner.longest or max(width, height)
        fitting = [size for size in sizes(width, height) if max(size) <= longest]
        yield from fitting or [(width, height)]

    def _wrap(self, file: bytes, width: int, height: int) -> bytes:
        return self.pack(width, height, {FILE: file}, crc=zlib.crc32(file))

    def decompress(self, data: bytes) -> ImageU8:
        """The enlarged image.

        Raises:
            BitstreamError: damaged or foreign.
        """
        file = self.unpack(data)
        return resize(self._small(file), file.width, file.height)

    def _small(self, container: viq.Container) -> ImageU8:
        file = container.section(FILE)
        if zlib.crc32(file) != container.symbols_crc:
            raise BitstreamError(f"the {self.inner.title} file inside does not match its checksum; the file is damaged")
        if not self.inner.detect(file):
            raise BitstreamError(f"the file inside is no {self.inner.title} file; the file is damaged")
        small = self._inner.decode(file)
        if small.shape[0] > container.height or small.shape[1] > container.width:
            raise BitstreamError("the image inside is larger than the file says; the file is damaged")
        return small

    def contents(self, file: viq.Container, *, symbols: bool) -> Contents:  # noqa: ARG002
        """Says at which size the format's file is."""
        height, width, _ = self._small(file).shape
        if (width, height) == (file.width, file.height):
            return Contents()
        return Contents(notes=(f"coded at {width}×{height} and enlarged to {file.width}×{file.height}",))

    def check_ready(self, qualities: Sequence[float]) -> None:
        """As the format's."""
        self._inner.check_ready(qualities)

    def identity(self) -> Mapping[str, object]:
        """The format's identity, and the sizes tried."""
        return {**self._inner.identity(), "factors": list(FACTORS), "enlarged": "Lanczos"}


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


class DownscaledJpeg(Downscaled):
    """JPEG of a smaller image."""

    name = "jpeg-shrunk"
    title = "JPEG, downscaled"
    inner = Jpeg
    Options = Jpeg.Options


class DownscaledWebP(Downscaled):
    """WebP of a smaller image."""

    name = "webp-shrunk"
    title = "WebP, downscaled"
    inner = WebP
    Options = WebP.Options


class DownscaledAvif(Downscaled):
    """AVIF of a smaller image."""

    name = "avif-shrunk"
    title = "AVIF, downscaled"
    inner = Avif
    Options = Avif.Options
