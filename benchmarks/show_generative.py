"""Draw docs/images/generative.png: bundled images as each codec rebuilds them from the same number of bytes.

    python benchmarks/show_generative.py [--bpp 0.1] [--images IMAGE …] [-o docs/images/generative.png]

Of other images than the bundled ones the middle is shown, for instance of what `benchmarks/drawn.py` draws:

    python benchmarks/show_generative.py --images drawn/page.png drawn/bars.png drawn/window.png --bpp 0.22 \\
        -o docs/images/graphics.png
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from vitiq.codecs.rate_target import encode_nearest
from vitiq.codecs.spec import make_codec
from vitiq.image.io import read_image
from vitiq.metrics.scoring import resolve_metrics, score_pair
from vitiq.types import Bytes

ROOT = Path(__file__).parents[1]
CODECS = ("generative", "generative-mse", "avif", "webp", "jpeg2000")
PIECES = {"portrait": (90, 160), "animal": (120, 130), "building": (120, 160)}
"""Top and left of the piece that is shown of each image."""

SIDE = 256


def main() -> None:
    """Draw the figure and print its numbers."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bpp", type=float, default=0.1)
    parser.add_argument("-o", "--output", type=Path, default=ROOT / "docs" / "images" / "generative.png")
    bundled = [ROOT / "examples" / "images" / f"{name}.png" for name in PIECES]
    parser.add_argument("--images", type=Path, nargs="+", default=bundled)
    given = parser.parse_args()
    figure = Figure(figsize=(2.3 * (len(CODECS) + 1), 2.55 * len(given.images)), layout="constrained")
    axes = figure.subplots(len(given.images), len(CODECS) + 1)
    metrics = resolve_metrics("psnr-rgb,vit-topk")
    for row, path in zip(axes, given.images, strict=True):
        name, image = path.stem, read_image(path)
        middle = (image.shape[0] - SIDE) // 2, (image.shape[1] - SIDE) // 2
        top, left = PIECES[name] if path in bundled else middle
        piece = np.s_[top : top + SIDE, left : left + SIDE]
        row[0].imshow(image[piece])
        row[0].set_title("original", fontsize=9)
        for plot, codec_name in zip(row[1:], CODECS, strict=True):
            codec = make_codec(codec_name, {})
            found = encode_nearest(codec, image, Bytes.per_pixel(given.bpp, image.shape[1], image.shape[0]))
            rebuilt = codec.decode(found.data)
            scores = score_pair(image, rebuilt, metrics)
            said = f"{scores['psnr-rgb'].value:.1f} dB, ViT-Score {scores['vit-topk'].value:.2f}"
            print(f"{name:10}{codec.title:24}{len(found.data):6} bytes  {said}", flush=True)
            plot.imshow(rebuilt[piece])
            plot.set_title(f"{codec.title}\n{len(found.data)} bytes, {said}", fontsize=6.5)
        for plot in row:
            plot.set_axis_off()
    figure.savefig(given.output, dpi=110)
    print(given.output)


if __name__ == "__main__":
    main()
