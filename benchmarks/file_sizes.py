"""What the context of hyper-latents and the compact container save: `python benchmarks/file_sizes.py FOLDER`.

    python benchmarks/file_sizes.py FOLDER [--qualities 4,12,20,36,52] [--images 12]

The same images with the same hyper-latents are coded in both ways that readers know: container of version 1,
hyper-latents by their quality alone, escapes in a part of their own; and the compact container, hyper-latents by their
neighbours, escapes inline. Symbols of the latents are the same. Prints mean bytes a file, the bytes of the container,
and the seconds of coding, as Markdown.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np

from vitiq.bitstream import container as viq
from vitiq.codecs.transform.codec import GenerativeMse
from vitiq.codecs.transform.latent_coding import decode_groups, encode_groups
from vitiq.codecs.transform.networks.embedded import TransformModel
from vitiq.codecs.transform.refine import rdo_weights
from vitiq.image.io import read_image
from vitiq.types import ImageU8


def coded(model: TransformModel, image: ImageU8, level: int, *, context: bool) -> tuple[np.ndarray, np.ndarray]:
    """Bytes of the file and of its container, seconds of coding and of decoding symbols; and the symbols."""
    scaled, found = model.analyse_image(image, level)
    prior, height, width = model.integer_prior, *scaled.shape[1:]
    start = time.perf_counter()
    hyper = np.rint(found).astype(np.int64)
    data, symbols = encode_groups(scaled, hyper, prior, level, rdo_weights(model, level), context=context)
    middle = time.perf_counter()
    decode_groups(data, height, width, prior, level, context=context)
    seconds = middle - start, time.perf_counter() - middle
    version = viq.COMPACT if context else viq.VERSION
    weights = bytes(viq.COMPACT_WEIGHTS if context else 8)
    section = viq.Section(2 if context else 1, bytes([level]) + data)
    file = viq.pack(viq.Container(4, image.shape[1], image.shape[0], weights, 0, (section,), version))
    return np.array([len(file), len(file) - len(section.data), *seconds]), symbols


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--qualities", default="4,12,20,36,52")
    parser.add_argument("--images", type=int, default=12)
    given = parser.parse_args()
    images = [read_image(path) for path in sorted(given.folder.glob("*.png"))[: given.images]]
    model = GenerativeMse().networks()
    print("| quality | bytes before | after | change | container before | after | coding, s | decoding, s |")
    print("|---:|---:|---:|---:|---:|---:|---:|---:|")
    for level in map(int, given.qualities.split(",")):
        rows = []
        for image in images:
            before, symbols = coded(model, image, level, context=False)
            after, same = coded(model, image, level, context=True)
            if not np.array_equal(symbols, same):
                raise SystemExit("symbols differ")
            rows.append(np.stack([before, after]))
        old, new = np.mean(rows, axis=0)
        change = np.mean([after[0] / before[0] - 1 for before, after in rows])
        times = " | ".join(f"{a:.2f} → {b:.2f}" for a, b in zip(old[2:], new[2:], strict=True))
        print(f"| {level} | {old[0]:.0f} | {new[0]:.0f} | {change:+.2%} | {old[1]:.0f} | {new[1]:.0f} | {times} |")


if __name__ == "__main__":
    main()
