"""Time and memory of the transform codec on images of 0.4 to 48 megapixels: `python benchmarks/large_images.py`.

    python benchmarks/large_images.py [--megapixels 0.4,6,24,48] [--codec generative] [--quality 18]

The images are the bundled ones enlarged and tiled with mirrored copies, so that they have structure everywhere. Each is
encoded and decoded in a process of its own; memory is the process's peak (VmHWM), image and libraries included. On an
image that is small enough to be coded at once as well, the strips are forced and compared: PSNR of both against the
original.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from vitiq.image.io import read_image, write_png
from vitiq.types import ImageU8

BUNDLED = Path(__file__).parents[1] / "examples" / "images"


def large(megapixels: float) -> ImageU8:
    """An image of 4:3 whose parts are bundled images and their mirror images."""
    height = round((megapixels * 1e6 * 3 / 4) ** 0.5 / 16) * 16
    width = round(height * 4 / 3 / 16) * 16
    row = np.concatenate([read_image(path)[:512, :512] for path in sorted(BUNDLED.glob("*.png"))], axis=1)
    block = np.concatenate([row, row[::-1, ::-1]], axis=0)
    times = (-(-height // block.shape[0]), -(-width // block.shape[1]), 1)
    return np.ascontiguousarray(np.tile(block, times)[:height, :width])


def peak_megabytes() -> int:
    """Most memory of this process so far."""
    status = Path("/proc/self/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1]) // 1024


def work(path: Path, codec_name: str, quality: float) -> None:
    """Encode or decode one file, and print what it took."""
    import vitiq
    from vitiq.types import Quality

    codec = vitiq.codec(codec_name)
    if path.suffix == ".png":
        image = read_image(path)
        start, processor = time.perf_counter(), time.process_time()
        data = codec.encode(image, Quality(quality))
        path.with_suffix(".viq").write_bytes(data)
        took = {"seconds": round(time.perf_counter() - start, 2), "cpu": round(time.process_time() - processor, 2)}
        took |= {"bytes": len(data), "mb": peak_megabytes()}
    else:
        start, processor = time.perf_counter(), time.process_time()
        found = codec.decode(path.read_bytes())
        took = {"seconds": round(time.perf_counter() - start, 2), "cpu": round(time.process_time() - processor, 2)}
        took |= {"mb": peak_megabytes()}
        original = read_image(path.with_suffix(".png"))
        errors = [((a.astype(np.float32) - b) ** 2).mean() for a, b in zip(found, original, strict=True)]
        took["psnr"] = round(float(10 * np.log10(255**2 / np.mean(errors))), 3)
    print(json.dumps(took))


def measured(*arguments: str) -> dict[str, float]:
    """What a child process prints."""
    done = subprocess.run([sys.executable, __file__, *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stderr.strip().splitlines()[-1])
    found: dict[str, float] = json.loads(done.stdout)
    return found


def main() -> None:
    """Print a row a size."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--megapixels", default="0.4,6,24,48")
    parser.add_argument("--codec", default="generative")
    parser.add_argument("--quality", default=18.0, type=float)
    parser.add_argument("--file", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.file:
        work(given.file, given.codec, given.quality)
        return
    print("| megapixels | bytes | PSNR, dB | encode, s | CPU s | MB | decode, s | CPU s | MB |")
    print("|---:|---:|---:|---:|---:|---:|---:|---:|---:|")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "x.png"
        for megapixels in map(float, given.megapixels.split(",")):
            write_png(path, large(megapixels))
            common = ("--codec", given.codec, "--quality", str(given.quality), "--file")
            made, back = measured(*common, str(path)), measured(*common, str(path.with_suffix(".viq")))
            columns = (made["bytes"], back["psnr"], made["seconds"], made["cpu"], made["mb"])
            print(f"| {megapixels:g} |", *(f" {value} |" for value in columns), end="")
            print(*(f" {back[name]} |" for name in ("seconds", "cpu", "mb")), flush=True)


if __name__ == "__main__":
    main()
