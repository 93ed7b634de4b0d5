"""JPEG XL (libjxl) through pillow-jxl-plugin, an optional extra."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass

from PIL import Image

from vitiq.codecs.classical.pillow import FormatCodec, decode_format
from vitiq.errors import MissingDependencyError
from vitiq.options import option
from vitiq.types import ImageU8, ProgressCallback


def _plugin() -> str:
    """Register the format with Pillow; returns the plugin's version."""
    try:
        import pillow_jxl  # noqa: PLC0415 - optional
    except ImportError as error:
        raise MissingDependencyError(
            "JPEG XL needs the package pillow-jxl-plugin; run: pip install 'vitiq[jxl]'"
        ) from error
    return str(getattr(pillow_jxl, "__version__", "unknown"))


@dataclass(frozen=True, kw_only=True)
class JxlOptions:
    """Options of JPEG XL."""

    effort: int = option(7, "1 (fastest) to 9 (smallest)", low=1, high=9)


class JpegXl(FormatCodec):
    """JPEG XL, lossy VarDCT, effort 7 unless an option says otherwise."""

    name = "jxl"
    title = "JPEG XL"
    extension = ".jxl"
    qualities = (1, 10, 20, 40, 60, 80, 95)
    default_quality = 80
    cheap = True
    quality_help = "1 to 99, higher is better (libjxl's scale)"
    quality_range = (1, 99, 1)
    Options = JxlOptions

    def compress(self, image: ImageU8, quality: float, progress: ProgressCallback | None = None) -> bytes:
        """JPEG XL file.

        Raises:
            MissingDependencyError: the plugin is not installed.
        """
        del progress
        _plugin()
        buffer = io.BytesIO()
        Image.fromarray(image).save(buffer, "JXL", quality=int(quality), effort=self.options.effort, num_threads=1)
        return buffer.getvalue()

    def decompress(self, data: bytes) -> ImageU8:
        """The image in a JPEG XL file; raises BitstreamError for anything else."""
        _plugin()
        return decode_format(self, data)

    def identity(self) -> Mapping[str, object]:
        """Version of the plugin, and the options."""
        return {"encoder": f"pillow-jxl-plugin {_plugin()}", **super().identity()}

    @classmethod
    def detect(cls, data: bytes) -> bool:
        """A raw codestream or a container box."""
        return data.startswith((b"\xff\x0a", b"\x00\x00\x00\x0cJXL \r\n\x87\n"))
