"""JPEG, JPEG 2000, WebP and AVIF as Pillow writes them: the established codecs to compare with.

Each writes exactly its format's file and reads nothing else.
"""

from __future__ import annotations

import io
import math
import threading
from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import ClassVar, Literal

from PIL import Image, ImageFile, features
from PIL import __version__ as pillow_version

from vitiq.codecs.base import Codec
from vitiq.codecs.noted import note
from vitiq.errors import BitstreamError, InputError, MissingDependencyError
from vitiq.image.io import decode_image
from vitiq.options import option
from vitiq.types import ImageU8, ProgressCallback

Subsampling = Literal["4:2:0", "4:2:2", "4:4:4"]


_LARGER = threading.Lock()


@contextmanager
def _buffer_of(size: int) -> Iterator[None]:
    """Pillow's buffer of at least `size` bytes.

    Optimised JPEG is written in one piece, for which a byte or two a pixel is too small where there is noise. The size
    is the whole process's, and the pieces of every PNG hang on it: it is put back.
    """
    with _LARGER:
        before = ImageFile.MAXBLOCK
        ImageFile.MAXBLOCK = max(before, size)
        try:
            yield
        finally:
            ImageFile.MAXBLOCK = before


class FormatCodec(Codec):
    """A codec whose files are of a format that Pillow reads, its own or a plugin's."""

    def decompress(self, data: bytes) -> ImageU8:
        """The image in the format's file; raises BitstreamError for anything else."""
        return decode_format(self, data)


def decode_format(codec: Codec, data: bytes) -> ImageU8:
    """Decode a file of exactly this codec's format.

    Raises:
        BitstreamError: another format, truncated or damaged.
    """
    if not codec.detect(data):
        from vitiq.codecs.detect import codec_of  # noqa: PLC0415 - which loads every codec

        raise BitstreamError(f"a file of codec {codec_of(data)} given to the {codec.name} decoder; use that codec")
    try:
        image, notes = decode_image(data, f"{codec.title} file of {len(data)} bytes")
    except InputError as error:
        raise BitstreamError(str(error)) from error
    note(notes)
    return image


class PillowCodec(FormatCodec):
    """What the formats share. A subclass names Pillow's format and turns a quality into its options.

    Attributes:
        longest: longest side in pixels that the format, or its decoder here, takes; None for no limit below others.
    """

    cheap = True

    form: ClassVar[str]
    feature: ClassVar[str]
    longest: ClassVar[int | None] = None

    @abstractmethod
    def save_options(self, image: ImageU8, quality: float) -> dict[str, object]:
        """Options of Pillow's encoder."""

    def compress(self, image: ImageU8, quality: float, progress: ProgressCallback | None = None) -> bytes:
        """The format's file.

        Raises:
            InputError: an image the format cannot hold.
            MissingDependencyError: this Pillow lacks the format.
        """
        del progress
        self.check_ready(())
        buffer = io.BytesIO()
        height, width, _ = image.shape
        if self.longest is not None and max(height, width) > self.longest:
            raise InputError(
                f"{self.title} cannot hold an image of {width}×{height} pixels, its sides are at most {self.longest}; "
                "shrink it, cut it into tiles, or choose a codec without that limit"
            )
        try:
            self.save(Image.fromarray(image), buffer, self.save_options(image, quality))
        except (OSError, ValueError, RuntimeError) as error:
            raise InputError(
                f"{self.title} cannot hold an image of {width}×{height} pixels ({error}); shrink it"
            ) from error
        return buffer.getvalue()

    def save(self, image: Image.Image, buffer: io.BytesIO, options: Mapping[str, object]) -> None:
        """Write the image with Pillow's encoder."""
        image.save(buffer, self.form, **options)

    def check_ready(self, qualities: Sequence[float]) -> None:
        """Refuse a Pillow that lacks the format."""
        del qualities
        if not features.check(self.feature):
            raise MissingDependencyError(
                f"Pillow {pillow_version} here cannot write {self.title}; install pillow>=11.3 from its wheels"
            )

    def identity(self) -> Mapping[str, object]:
        """Versions of Pillow and of the format's library, the encoder's settings and the options."""
        version = {"encoder": f"Pillow {pillow_version}", "version": features.version(self.feature)}
        return {**version, **self.fixed, **super().identity()}

    fixed: ClassVar[Mapping[str, object]] = {}
    """Settings of the encoder that no option changes."""


@dataclass(frozen=True, kw_only=True)
class JpegOptions:
    """Options of JPEG."""

    subsampling: Subsampling = option("4:2:0", "chroma subsampling")
    progressive: bool = option(False, "progressive scans")


class Jpeg(PillowCodec):
    """JPEG (libjpeg-turbo), 4:2:0 unless an option says otherwise, optimised Huffman tables."""

    name = "jpeg"
    title = "JPEG"
    extension = ".jpg"
    form = "JPEG"
    feature = "jpg"
    longest = 65_500
    qualities = (1, 5, 10, 20, 40, 60, 80, 100)
    default_quality = 80
    quality_help = "1 to 100, higher is better"
    quality_range = (1, 100, 1)
    Options = JpegOptions
    fixed = {"optimize": True}  # noqa: RUF012 - a constant

    def save_options(self, image: ImageU8, quality: float) -> dict[str, object]:  # noqa: ARG002
        """4:2:0 as Pillow's default, said outright."""
        found = {"quality": int(quality), "subsampling": self.options.subsampling, "optimize": True}
        return {**found, "progressive": True} if self.options.progressive else found

    def save(self, image: Image.Image, buffer: io.BytesIO, options: Mapping[str, object]) -> None:
        """As Pillow, with a buffer that holds any file."""
        with _buffer_of(2**16 + 6 * image.width * image.height):
            super().save(image, buffer, options)

    @classmethod
    def detect(cls, data: bytes) -> bool:
        """Start of image, and a marker."""
        return data.startswith(b"\xff\xd8\xff")


class Jpeg2000(PillowCodec):
    """JPEG 2000 (OpenJPEG), irreversible 9/7 wavelet, colour transform, raw codestream, rate in bits per pixel."""

    name = "jpeg2000"
    title = "JPEG 2000"
    extension = ".j2k"
    form = "JPEG2000"
    feature = "jpg_2000"
    qualities = (0.05, 0.1, 0.2, 0.4, 0.8, 1.6)
    default_quality = 0.8
    quality_help = "target rate, 0.01 to 24 bits per pixel"
    quality_range = (0.01, 24, 0.001)
    fixed = {"quality_mode": "rates", "irreversible": True, "mct": 1, "no_jp2": True}  # noqa: RUF012 - a constant

    def save_options(self, image: ImageU8, quality: float) -> dict[str, object]:
        """OpenJPEG takes a compression ratio to 24 bits per pixel; it refuses more wavelet levels than sides hold."""
        levels = min(6, 1 + int(math.log2(min(image.shape[:2]))))
        return {**self.fixed, "quality_layers": [24 / quality], "num_resolutions": levels}

    @classmethod
    def detect(cls, data: bytes) -> bool:
        """A JP2 box or a raw codestream."""
        return data.startswith((b"\x00\x00\x00\x0cjP  \r\n\x87\n", b"\xff\x4f\xff\x51"))


@dataclass(frozen=True, kw_only=True)
class WebPOptions:
    """Options of WebP."""

    method: int = option(6, "0 (fastest) to 6 (smallest)", low=0, high=6)


class WebP(PillowCodec):
    """Lossy WebP (libwebp), slowest method unless an option says otherwise."""

    name = "webp"
    title = "WebP"
    extension = ".webp"
    form = "WEBP"
    feature = "webp"
    longest = 16_383
    qualities = (0, 10, 20, 40, 60, 80, 100)
    default_quality = 80
    quality_help = "0 to 100, higher is better"
    quality_range = (0, 100, 1)
    Options = WebPOptions

    def save_options(self, image: ImageU8, quality: float) -> dict[str, object]:  # noqa: ARG002
        """Method 6 is the slowest and smallest."""
        return {"quality": int(quality), "method": self.options.method}

    @classmethod
    def detect(cls, data: bytes) -> bool:
        """RIFF of kind WEBP."""
        return data[:4] == b"RIFF" and data[8:12] == b"WEBP"


@dataclass(frozen=True, kw_only=True)
class AvifOptions:
    """Options of AVIF."""

    tune: Literal["psnr", "ssim", "iq"] | None = option(
        None, "what libaom is tuned for; libavif's default if not given (iq since 1.4)"
    )
    subsampling: Subsampling = option("4:2:0", "chroma subsampling")
    speed: int = option(4, "0 (slowest, smallest) to 10", low=0, high=10)


class Avif(PillowCodec):
    """AVIF (libavif), 4:2:0 unless an option says otherwise, one thread: bytes do not depend on the machine's cores."""

    name = "avif"
    title = "AVIF"
    extension = ".avif"
    form = "AVIF"
    feature = "avif"
    longest = 32_768  # of libavif's decoder; its encoder writes longer ones that it does not read
    qualities = (0, 10, 20, 30, 50, 70, 90)
    default_quality = 60
    quality_help = "0 to 100, higher is better"
    quality_range = (0, 100, 1)
    Options = AvifOptions
    fixed = {"max_threads": 1}  # noqa: RUF012 - a constant
    _brands: ClassVar[set[bytes]] = {b"avif", b"avis"}

    def save_options(self, image: ImageU8, quality: float) -> dict[str, object]:  # noqa: ARG002
        """Tuning is an option of libaom itself, which is then named as the encoder."""
        chosen = self.options
        found: dict[str, object] = {"quality": int(quality), "speed": chosen.speed, "subsampling": chosen.subsampling}
        found["max_threads"] = 1
        return found if chosen.tune is None else {**found, "codec": "aom", "advanced": {"tune": chosen.tune}}

    @classmethod
    def detect(cls, data: bytes) -> bool:
        """A file type box that names AVIF as its brand or as a compatible one."""
        if data[4:8] != b"ftyp":
            return False
        length = min(int.from_bytes(data[:4], "big"), 256)
        return bool(({data[8:12]} | {data[i : i + 4] for i in range(16, length, 4)}) & cls._brands)
