"""VMAF by libvmaf, in an ffmpeg that has it: the one on the path, or the one that the package imageio-ffmpeg ships.

JPEG AI's common test conditions: both images as one frame of BT.709 YUV 4:4:4, full range, 10 bits; model
vmaf_v0.6.1. Identical images get about 97, not 100, since a frame alone has no motion. The model reads the luma alone,
so that libvmaf is handed grey chroma at a quarter of the size: the same value in two thirds of the memory.
"""

from __future__ import annotations

import json
import math
import shutil
from functools import lru_cache
from pathlib import Path

import numpy as np

from vitiq.errors import MissingDependencyError, UndefinedError
from vitiq.image.colour import row_strips, yuv709_10bit_plane
from vitiq.metrics.measured import MeasuredMetric, ten_bit_plane
from vitiq.metrics.programs import answer_of, output_of
from vitiq.temporary import temporary_folder
from vitiq.types import ImageU8, Score

MODEL = "vmaf_v0.6.1"
GREY = 512
LARGE = 2**22
"""Pixels from which on planes are made some rows at a time instead of once for all metrics."""


@lru_cache(maxsize=1)
def program() -> tuple[str, str] | None:
    """An ffmpeg with libvmaf and its version."""
    for candidate in (shutil.which("ffmpeg"), _packaged()):
        if candidate is None:
            continue
        if " libvmaf " in answer_of(candidate, "-hide_banner", "-filters"):
            words = answer_of(candidate, "-version").split()
            return candidate, words[2] if len(words) > 2 else "unknown"
    return None


def _packaged() -> str | None:
    try:
        import imageio_ffmpeg  # noqa: PLC0415 - an extra
    except ImportError:
        return None
    try:
        return str(imageio_ffmpeg.get_ffmpeg_exe())
    except RuntimeError:
        return None


class Vmaf(MeasuredMetric):
    """VMAF of one frame; details hold libvmaf's features."""

    name = "vmaf"
    title = "VMAF"
    range = (0.0, 100.0)
    higher_is_better = True
    identical = math.nan
    reference = "Li et al. 2016, https://github.com/Netflix/vmaf (model vmaf_v0.6.1)"
    formula = "support vector regression of VIF of 4 scales, detail loss and motion (0 here)"
    smallest = 17

    def signature(self) -> str:
        """Version of ffmpeg, model and planes."""
        found = program()
        return f"vmaf|ffmpeg:{found[1] if found else 'missing'}|{MODEL}|yuv:bt709-full-10bit-444|v1"

    def require(self) -> str:
        """The ffmpeg."""
        found = program()
        if found is None:
            raise MissingDependencyError("vmaf needs an ffmpeg with libvmaf: run pip install 'vitiq[vmaf]'")
        return found[0]

    def __call__(self, reference: ImageU8, distorted: ImageU8) -> Score:
        """The score; MissingDependencyError without an ffmpeg that has libvmaf, InputError for sides below 17."""
        self.check_size(reference)
        score = self._frame(self.require(), reference, distorted)
        if not math.isfinite(score.get("vmaf", math.nan)):
            raise UndefinedError(f"{self.title}: libvmaf gives no number for these images")
        return Score(float(score.pop("vmaf")), self.signature(), {"features": score})

    def measure(self, reference: ImageU8, distorted: ImageU8) -> float:
        """As the call."""
        return self(reference, distorted).value

    @staticmethod
    def _frame(ffmpeg: str, reference: ImageU8, distorted: ImageU8) -> dict[str, float]:
        height, width, _ = reference.shape
        raw = ["-f", "rawvideo", "-pix_fmt", "yuv420p10le", "-s", f"{width}x{height}", "-i"]
        with temporary_folder() as folder:
            for file, image in (("reference.yuv", reference), ("distorted.yuv", distorted)):
                _write_frame(folder / file, image)
            # without a pool of threads libvmaf needs a tenth less memory
            graph = f"libvmaf=log_fmt=json:log_path=score.json:n_threads=0:model=version={MODEL}"
            begin = [ffmpeg, "-hide_banner", "-loglevel", "error", "-threads", "1"]
            inputs = [*raw, "distorted.yuv", *raw, "reference.yuv"]
            output_of([*begin, *inputs, "-lavfi", graph, "-f", "null", "-"], folder)
            try:
                frames = json.loads((folder / "score.json").read_text("utf-8"))["frames"]
                return {str(key): float(value) for key, value in frames[0]["metrics"].items()}
            except (OSError, ValueError, LookupError) as error:
                raise UndefinedError(f"libvmaf wrote no score ({error})") from error


def _write_frame(path: Path, image: ImageU8) -> None:
    """A frame of 4:2:0 in 10 bits: the luma of BT.709, and chroma without colour."""
    height, width, _ = image.shape
    with path.open("wb") as file:
        if height * width <= LARGE:
            file.write(ten_bit_plane(image, 0).astype("<u2").tobytes())
        else:
            for rows in row_strips(height, width, LARGE // 16):
                file.write(yuv709_10bit_plane(image[rows], 0).astype("<u2").tobytes())
        row = np.full(2 * ((width + 1) // 2), GREY, "<u2").tobytes()
        for _ in range((height + 1) // 2):
            file.write(row)
