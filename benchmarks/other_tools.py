"""Values of vitiq beside those of pyiqa, torchmetrics, piq and CompressAI, for the same pixels.

    pip install pyiqa torchmetrics piq compressai
    python benchmarks/other_tools.py examples/images/building.png

The distorted image is the JPEG of quality 30. A package that is not installed is left out. Rows are in Markdown.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import suppress

import numpy as np
import torch
from torch import Tensor

import vitiq

Call = Callable[[Tensor, Tensor], float]


def calls() -> Iterator[tuple[str, str, Call]]:
    """Metric key of vitiq, the other tool's call as text, and the call."""
    with suppress(ImportError):
        import torchmetrics.functional.image as tm

        yield (
            "psnr-rgb",
            "torchmetrics `peak_signal_noise_ratio(b, a, data_range=1.0)`",
            lambda a, b: float(tm.peak_signal_noise_ratio(b, a, data_range=1.0)),
        )
        yield (
            "ssim",
            "torchmetrics `structural_similarity_index_measure(b, a, data_range=1.0)`",
            lambda a, b: float(tm.structural_similarity_index_measure(b, a, data_range=1.0)),
        )
        yield (
            "ms-ssim",
            ("torchmetrics `multiscale_structural_similarity_index_measure(b, a, data_range=1.0)`"),
            lambda a, b: float(tm.multiscale_structural_similarity_index_measure(b, a, data_range=1.0)),
        )
    with suppress(ImportError):
        import piq

        yield "psnr-rgb", "piq `psnr(b, a)`", lambda a, b: float(piq.psnr(b, a))
        yield "ssim", "piq `ssim(b, a, downsample=False)`", lambda a, b: float(piq.ssim(b, a, downsample=False))
        yield "ssim", "piq `ssim(b, a)` (halves images above 256 pixels first)", lambda a, b: float(piq.ssim(b, a))
        yield "ms-ssim", "piq `multi_scale_ssim(b, a)`", lambda a, b: float(piq.multi_scale_ssim(b, a))
    with suppress(ImportError):
        import pyiqa

        for key, name, said in (
            ("psnr-rgb", "psnr", ""),
            ("psnr-y", "psnry", ""),
            ("ssim-y", "ssim", " (luma)"),
            ("ssim", "ssimc", ""),
            ("ms-ssim-y", "ms_ssim", " (luma)"),
        ):
            metric = pyiqa.create_metric(name, device="cpu")
            yield key, f'pyiqa `create_metric("{name}")(b, a)`{said}', lambda a, b, metric=metric: float(metric(b, a))
    with suppress(ImportError):
        from pytorch_msssim import ms_ssim

        yield (
            "ms-ssim",
            "CompressAI's evaluation, `pytorch_msssim.ms_ssim(a, b, data_range=1.0)`",
            lambda a, b: float(ms_ssim(a, b, data_range=1.0)),
        )


def main(path: str) -> None:
    """Print a table."""
    image = vitiq.load_image(path)
    decoded = vitiq.encode(image, "jpeg", quality=30).decode()
    a, b = (torch.from_numpy(np.ascontiguousarray(x.transpose(2, 0, 1)))[None] / 255 for x in (image, decoded))
    print("| their call | value | `vitiq.metric(key)(a, b)` | value |\n|---|---|---|---|")
    for key, said, call in calls():
        own = vitiq.metric(key)(image, decoded).value
        with torch.no_grad():
            print(f"| {said} | {call(a, b):.5f} | `{key}` | {own:.5f} |", flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
