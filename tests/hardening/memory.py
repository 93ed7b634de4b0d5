"""Peak memory of each door, in bytes a pixel beyond what it takes for a small image, against a stated limit.

python memory.py FOLDER [SIDE]      prints a JSON object a door; exits with 1 where a limit is passed

The peak is VmHWM of a process that does the whole command. `run` and `bench` do their tasks in that process; with
workers each of them takes as much for the image it has.
"""

from __future__ import annotations

import functools
import http.client
import json
import shutil
import sys
import threading
from pathlib import Path

import numpy as np
from many_files import command, measured
from PIL import Image

DOORS: dict[str, tuple[int, list[str]]] = {
    "encode": (24, ["encode", "{}.png", "-c", "jpeg", "-o", "{}.jpg", "--force"]),
    "info": (10, ["info", "{}.jpg"]),
    "decode": (10, ["decode", "{}.jpg", "-o", "{}.back.png", "--force"]),
    "score -m mse": (24, ["score", "{}.png", "{}.back.png", "-m", "mse"]),
    "score -m ssim": (24, ["score", "{}.png", "{}.back.png", "-m", "ssim"]),
    "run": (48, ["run", "{}.png", "-c", "jpeg", "--comparators", "webp", "--metrics", "mse", "-o", "{}.run"]),
    "bench": (48, ["bench", "{}.png", "-c", "jpeg@50", "-c", "webp@50", "-m", "mse,ssim", "-o", "{}.bench"]),
}
"""Door -> bytes a pixel at most, and the command; {} is the image without its suffix."""
VIEW_LIMITS = {"view": 48, "view, a dropped image": 48}
INLINE = ["--executor", "inline", "--quiet"]


def look(out: Path, dropped: Path | None) -> int:
    """`view` of a folder: its page, all of its images, and an image dropped in and compressed."""
    from vitiq.report.server import ViewServer

    server = ViewServer(out)
    threading.Thread(target=server.serve_forever, daemon=True).start()

    def ask(path: str, data: bytes | None = None) -> bytes:
        connection = http.client.HTTPConnection("127.0.0.1", server.server_port)
        connection.request("GET" if data is None else "POST", path, body=data)
        answer = connection.getresponse()
        body = answer.read()
        if answer.status != 200:
            raise ValueError(f"{path}: {answer.status} {body[:200]!r}")
        return body

    ask("/")
    ask("/content")
    for token in list(server.assets.known):
        ask(f"/image/{token}")
    if dropped is not None:
        for number in range(5):
            ask(f"/drop?name=x{number}", dropped.read_bytes() + bytes(number))
        ask("/try")
    server.shutdown()
    server.server_close()
    return 0


def tell(door: str, small: dict[str, float], large: dict[str, float], pixels: int, limit: int) -> bool:
    """Print a door's figures; True where it keeps its limit."""
    if small["code"] or large["code"]:
        sys.exit(f"{door} failed")
    used = (large["peak_mib"] - small["peak_mib"]) * 2**20 / pixels
    facts = {"door": door, "pixels": pixels, "small_mib": round(small["peak_mib"]), "bytes_a_pixel": round(used, 1)}
    print(json.dumps({**facts, "limit": limit}), flush=True)
    return used <= limit


def main() -> None:
    """See above."""
    import vitiq.cli.bench
    import vitiq.cli.decode
    import vitiq.cli.encode
    import vitiq.cli.info
    import vitiq.cli.run
    import vitiq.cli.score
    import vitiq.codecs.classical.pillow
    import vitiq.evaluation.scoring
    import vitiq.models.threads
    import vitiq.report.build
    import vitiq.report.server  # noqa: F401 - imported before any fork

    folder, side = Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 3000
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    y, x = np.mgrid[0:side, 0:side]
    pixels = np.stack([x + y, 3 * x, 5 * y], -1).astype(np.uint8)
    images = [folder / "small", folder / "large"]
    for path, size in zip(images, (16, side), strict=True):
        Image.fromarray(pixels[:size, :size]).save(f"{path}.png", compress_level=1)
    kept = []
    for door, (limit, words) in DOORS.items():
        more = INLINE if door in {"run", "bench"} else []
        small, large = (command(*(word.format(path) for word in words), *more) for path in images)
        kept.append(tell(door, small, large, side**2, limit))
    for door, limit in VIEW_LIMITS.items():
        drops = door != "view"
        small, large = (
            measured(functools.partial(look, Path(f"{path}.run"), Path(f"{path}.png") if drops else None))
            for path in images
        )
        kept.append(tell(door, small, large, side**2, limit))
    shutil.rmtree(folder)
    sys.exit(not all(kept))


if __name__ == "__main__":
    main()
