"""JPEG XL (libjxl) through pillow-jxl-plugin, an optional extra."""

from __future__ import annotations

import io
from collections.abc import Mapping

from PIL import Image

from vitiq.codecs.base import Codec
from vitiq.codecs.classical.pillow import check_quality, decode_format
from vitiq.errors import MissingDependencyError
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


class JpegXl(Codec):
    """JPEG XL, lossy VarDCT, effort 7."""

    name = "jxl"
    title = "JPEG XL"
    extension = ".jxl"
    qualities = (1, 10, 20, 40, 60, 80, 95)
    default_quality = 80
    quality_help = "1 to 99, higher is better (libjxl's scale)"
    quality_range = (1, 99, 1)

    def encode(
        self, image: ImageU8, *, quality: float | None = None, progress: ProgressCallback | None = None
    ) -> bytes:
        """JPEG XL file.

        Raises:
            InputError: a quality outside the range.
            MissingDependencyError: the plugin is not installed.
        """
        del progress
        value = self.default_quality if quality is None else quality
        check_quality(self, value)
        _plugin()
        buffer = io.BytesIO()
        Image.fromarray(image).save(buffer, "JXL", quality=round(value), effort=7, num_threads=1)
        return buffer.getvalue()

    def decode(self, data: bytes) -> ImageU8:
        """The image in a JPEG XL file; raises BitstreamError for anything else."""
        _plugin()
        return decode_format(self, data)

    def settings(self) -> Mapping[str, object]:
        """Plugin version and effort."""
        return {"encoder": f"pillow-jxl-plugin {_plugin()}", "effort": 7}
