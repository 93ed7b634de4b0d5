"""JPEG, JPEG 2000, WebP and AVIF as Pillow writes them: the established codecs to compare with.

Each writes exactly its format's file and reads nothing else.
"""

from __future__ import annotations

import io
import math
from abc import abstractmethod
from collections.abc import Mapping
from typing import ClassVar

from PIL import Image, ImageFile, features
from PIL import __version__ as pillow_version

from vitiq.bitstream.sniff import sniff
from vitiq.codecs.base import Codec
from vitiq.errors import BitstreamError, InputError, MissingDependencyError
from vitiq.image.io import decode_image
from vitiq.types import ImageU8, ProgressCallback


class PillowCodec(Codec):
    """What the formats share. A subclass names Pillow's format and turns a quality into its options.

    Attributes:
        longest: longest side in pixels that the format, or its decoder here, takes; None for no limit below others.
    """

    form: ClassVar[str]
    feature: ClassVar[str]
    longest: ClassVar[int | None] = None

    @abstractmethod
    def options(self, quality: float) -> dict[str, object]:
        """Options of Pillow's encoder."""

    def encode(
        self, image: ImageU8, *, quality: float | None = None, progress: ProgressCallback | None = None
    ) -> bytes:
        """The format's file.

        Raises:
            InputError: a quality outside the range, or an image the format cannot hold.
            MissingDependencyError: this Pillow lacks the format.
        """
        del progress
        value = self.default_quality if quality is None else quality
        check_quality(self, value)
        if not features.check(self.feature):
            raise MissingDependencyError(
                f"Pillow {pillow_version} here cannot write {self.title}; install pillow>=11.3 from its wheels"
            )
        buffer = io.BytesIO()
        height, width, _ = image.shape
        if self.longest is not None and max(height, width) > self.longest:
            raise InputError(
                f"{self.title} cannot hold an image of {width}×{height} pixels, its sides are at most {self.longest}; "
                "shrink it, cut it into tiles, or choose a codec without that limit"
            )
        # Pillow gives optimised JPEG a buffer of a byte a pixel, which noise overruns.
        ImageFile.MAXBLOCK = max(ImageFile.MAXBLOCK, 2**16 + 6 * height * width)
        try:
            Image.fromarray(image).save(buffer, self.form, **self.options(value))
        except (OSError, ValueError, RuntimeError) as error:
            raise InputError(
                f"{self.title} cannot hold an image of {width}×{height} pixels ({error}); shrink it"
            ) from error
        return buffer.getvalue()

    def decode(self, data: bytes) -> ImageU8:
        """The image in the format's file; raises BitstreamError for anything else."""
        return decode_format(self, data)

    def settings(self) -> Mapping[str, object]:
        """Pillow's version and the encoder's fixed options."""
        fixed = {k: v for k, v in self.options(self.default_quality).items() if not k.startswith("quality")}
        return {"encoder": f"Pillow {pillow_version}", "version": features.version(self.feature), **fixed}


def check_quality(codec: Codec, quality: float) -> None:
    """Raises InputError where the quality is outside the codec's range."""
    if codec.quality_range is None:
        return
    low, high, _ = codec.quality_range
    if not low <= quality <= high:
        raise InputError(f"quality {quality:g} given for {codec.name}, expected {codec.quality_help}")


def decode_format(codec: Codec, data: bytes) -> ImageU8:
    """Decode a file of exactly this codec's format.

    Raises:
        BitstreamError: another format, truncated or damaged.
    """
    found = sniff(data)
    if found != codec.name:
        raise BitstreamError(f"a file of codec {found} given to the {codec.name} decoder; use that codec")
    try:
        return decode_image(data, f"{codec.title} file of {len(data)} bytes")[0]
    except InputError as error:
        raise BitstreamError(str(error)) from error


class Jpeg(PillowCodec):
    """JPEG (libjpeg-turbo), 4:2:0, optimised Huffman tables."""

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

    def options(self, quality: float) -> dict[str, object]:
        """4:2:0 as Pillow's default, said outright."""
        return {"quality": round(quality), "subsampling": "4:2:0", "optimize": True}


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

    def options(self, quality: float) -> dict[str, object]:
        """OpenJPEG takes a compression ratio to 24 bits per pixel."""
        return {
            "quality_mode": "rates",
            "quality_layers": [24 / quality],
            "irreversible": True,
            "mct": 1,
            "no_jp2": True,
        }

    def encode(
        self, image: ImageU8, *, quality: float | None = None, progress: ProgressCallback | None = None
    ) -> bytes:
        """Codestream; small images get fewer wavelet levels, since OpenJPEG refuses more than they hold."""
        del progress
        value = self.default_quality if quality is None else quality
        check_quality(self, value)
        levels = min(6, 1 + int(math.log2(min(image.shape[:2]))))
        buffer = io.BytesIO()
        try:
            Image.fromarray(image).save(buffer, self.form, **self.options(value), num_resolutions=levels)
        except (OSError, ValueError) as error:
            raise InputError(
                f"JPEG 2000 cannot hold an image of {image.shape[1]}×{image.shape[0]} pixels ({error}); shrink it"
            ) from error
        return buffer.getvalue()


class WebP(PillowCodec):
    """Lossy WebP (libwebp), slowest method."""

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

    def options(self, quality: float) -> dict[str, object]:
        """Method 6 is the slowest and smallest."""
        return {"quality": round(quality), "method": 6}


class Avif(PillowCodec):
    """AVIF (libavif), 4:2:0, one thread so that bytes do not depend on the machine's cores."""

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

    def options(self, quality: float) -> dict[str, object]:
        """Speed 4 of 0 … 10."""
        return {"quality": round(quality), "speed": 4, "subsampling": "4:2:0", "max_threads": 1}
