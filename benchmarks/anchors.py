"""BD-rate of the MSE-trained codec against AVIF as it may be set and older formats: the anchor decides the figure.

    python benchmarks/anchors.py IMAGES OUT [-m METRICS] [-c CODEC] [--anchors CODEC …] [--middle SIDE]

IMAGES is a folder, such as the odd Kodak images or what `benchmarks/drawn.py` draws; OUT keeps the study, and the
same command resumes it: a metric that is named later costs no encode. AVIF's default (4:2:0, libavif's own tune)
flatters a codec that is trained and measured in RGB; tuned for PSNR in 4:4:4 it does not. CODEC is what is compared
with the anchors, such as 'generative-mse[tune=ms-ssim,effort=1]@0:54:18'. With --middle only the middle SIDE×SIDE
pixels of each image are coded, where whole ones take too long; they are written to OUT-middle. Prints a table with 95
% intervals over the images, of the mean curve and of the images, and the worst image beside the best. Negative: the
codec needs fewer bits than the anchor.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

from vitiq import registry
from vitiq.cli.bd import estimate_text, percent_text, rate_text, refusals_of, span_text, table_notes
from vitiq.codecs.spec import parse_codec
from vitiq.errors import MissingDependencyError
from vitiq.evaluation.points import COMPARED, gather_points
from vitiq.image.io import named_as_image, read_image, write_png

TESTED = "generative-mse@0:54:18"
AVIF = "0,8,18,45"
ANCHORS = (
    f"avif@{AVIF}",
    f"avif[tune=psnr]@{AVIF}",
    f"avif[tune=psnr,subsampling=4:4:4]@{AVIF}",
    "webp@0,10,30,60",
    "jpeg2000@0.05,0.1,0.2,0.4,0.8",
    "jxl@1,15,40,70",
)


def installed(codec: str) -> bool:
    """Whether a codec can be made here."""
    try:
        parse_codec(codec).make()
    except MissingDependencyError:
        return False
    return True


def middles(images: Path, folder: Path, side: int) -> Path:
    """`folder`, with the middle of each image of a folder in it."""
    folder.mkdir(parents=True, exist_ok=True)
    for path in sorted(filter(named_as_image, images.iterdir())):
        image = read_image(path)
        y, x = (max(0, (length - side) // 2) for length in image.shape[:2])
        write_png(folder / f"{path.stem}.png", image[y : y + side, x : x + side])
    return folder


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("images", type=Path, help="image or folder")
    parser.add_argument("out", type=Path, help="folder of results")
    known = registry.names("metrics")
    default = ",".join(name for name in COMPARED if name in known)
    parser.add_argument("-m", "--metrics", default=default, help=f"names with commas (default {default})")
    parser.add_argument("-c", "--codec", default=TESTED, help=f"compared with the anchors (default {TESTED})")
    parser.add_argument("--anchors", nargs="+", default=ANCHORS, help="codecs with qualities")
    parser.add_argument("--middle", type=int, metavar="SIDE", help="code only the middle of each image")
    asked = parser.parse_args()
    images = asked.images
    if asked.middle:
        images = middles(images, asked.out.with_name(f"{asked.out.name}-middle"), asked.middle)
    anchors = [codec for codec in asked.anchors if installed(codec)]
    codecs = [part for codec in (asked.codec, *anchors) for part in ("-c", codec)]
    command = [sys.executable, "-m", "vitiq", "bench", str(images), *codecs, "-m", asked.metrics]
    subprocess.run([*command, "--keep", "bitstreams", "-o", str(asked.out), "--quiet"], check=True)
    gathered = gather_points([asked.out])
    tested = gathered.label(parse_codec(asked.codec).make().label())
    metrics = gathered.metrics(asked.metrics)
    print("\n| anchor | metric | mean curve | mean of images | worst image | best image | range |")
    print("|---|---|---:|---:|---:|---:|---:|")
    labels = [parse_codec(anchor).make().label() for anchor in anchors]
    every = [found for label in labels for found in gathered.compared(label, metrics, [tested])]
    refusals = refusals_of(every)
    for found in every:
        ends = found.extremes
        best, worst = (f"{percent_text(value)} ({name})" for name, value in ends) if ends else ("–", "–")
        rates = (rate_text(found, refusals), estimate_text(found.mean_rate, independent=found.independent))
        print(f"| {' | '.join((found.anchor, found.metric, *rates, worst, best, span_text(found)))} |")
    print("", *table_notes(every, refusals), sep="\n")


if __name__ == "__main__":
    main()
