"""Peak memory of each door, in bytes a pixel beyond what the program itself takes.

python memory.py FOLDER [SIDE]      prints a JSON object a command
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
from many_files import command
from PIL import Image


def main() -> None:
    """See above."""
    import vitiq.cli.decode
    import vitiq.cli.encode
    import vitiq.cli.info
    import vitiq.cli.score
    import vitiq.codecs.classical.pillow
    import vitiq.evaluation.scoring
    import vitiq.models.threads  # noqa: F401 - imported before any fork

    folder, side = Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 3000
    folder.mkdir(parents=True, exist_ok=True)
    y, x = np.mgrid[0:side, 0:side]
    pixels = np.stack([x + y, 3 * x, 5 * y], -1).astype(np.uint8)
    for name, size in (("small", 16), ("large", side)):
        Image.fromarray(pixels[:size, :size]).save(folder / f"{name}.png", compress_level=1)
    doors = {
        "encode": ("encode", "{}.png", "-c", "jpeg", "-o", "{}.jpg", "--force"),
        "info": ("info", "{}.jpg"),
        "decode": ("decode", "{}.jpg", "-o", "{}.back.png", "--force"),
        "score": ("score", "{}.png", "{}.back.png", "-m", "mse"),
        "score ssim": ("score", "{}.png", "{}.back.png", "-m", "ssim"),
    }
    for door, words in doors.items():
        peak = {}
        for name in ("small", "large"):
            done = command(*(word.format(folder / name) if "{}" in word else word for word in words))
            if done["code"]:
                sys.exit(f"{door} failed")
            peak[name] = done["peak_mib"]
        used = (peak["large"] - peak["small"]) * 2**20 / side**2
        print(json.dumps({"door": door, "pixels": side**2, "bytes_a_pixel": round(used, 1)}), flush=True)


if __name__ == "__main__":
    main()
