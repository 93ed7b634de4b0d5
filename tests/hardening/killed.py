"""`kill -9` at moments of a small run, then the same command: it must end in what a run left alone makes.

python killed.py MOMENTS FOLDER      prints a JSON object a moment, and exits with 1 if one differs
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from PIL import Image

CODE = "import sys; sys.argv[0] = 'vitiq'; from vitiq.cli.main import main; main()"


def command(image: Path, out: Path) -> list[str]:
    """A run of one image with two codecs and one metric."""
    options = ["-c", "jpeg", "--comparators", "webp,jpeg2000", "--metrics", "mse", "-o", str(out), "--quiet"]
    return [sys.executable, "-c", CODE, "run", str(image), *options]


def made(out: Path) -> dict[str, str]:
    """sha256 of the results that are the same in every run: files, reconstructions, originals."""
    folders = ("bitstreams", "reconstructions", "originals")
    files = [path for name in folders for path in sorted((out / name).rglob("*")) if path.is_file()]
    return {str(path.relative_to(out)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def scores(out: Path) -> list[str]:
    """Lines of the table without times and dates: image, codec, bytes and the metric."""
    import csv

    with (out / "records.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    return sorted(f"{row['image']} {row['codec']} {row['bytes']} {row['mse']}" for row in rows)


def leftovers(out: Path) -> list[str]:
    """Temporary files that a killed run left and its successor did not remove."""
    return [path.name for path in out.rglob(".vitiq-*")]


def kill_and_resume(image: Path, out: Path, after: float) -> dict[str, object]:
    """One moment: start, kill after so many seconds, run again to the end."""
    shutil.rmtree(out, ignore_errors=True)
    process = subprocess.Popen(
        command(image, out), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
    time.sleep(after)
    killed = process.poll() is None
    if killed:
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    again = subprocess.run(command(image, out), capture_output=True, text=True, check=False)
    return {
        "after": round(after, 3),
        "killed": killed,
        "code": again.returncode,
        "said": again.stderr[-300:],
        "files": made(out),
        "scores": scores(out) if again.returncode == 0 else [],
        "leftovers": leftovers(out),
    }


def compare(moments: int, folder: Path) -> tuple[list[dict[str, object]], dict[str, str], list[str]]:
    """Every moment of the time a run takes, and what an undisturbed one makes."""
    folder.mkdir(parents=True, exist_ok=True)
    image = folder / "in.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (24, 32, 3), dtype=np.uint8)).save(image)
    subprocess.run(command(image, folder / "warm"), capture_output=True, check=True)
    began = time.monotonic()
    subprocess.run(command(image, folder / "clean"), capture_output=True, check=True)
    seconds = time.monotonic() - began
    found = [kill_and_resume(image, folder / "out", seconds * (i + 0.5) / moments) for i in range(moments)]
    return found, made(folder / "clean"), scores(folder / "clean")


def main() -> None:
    """See above."""
    found, files, table = compare(int(sys.argv[1]), Path(sys.argv[2]))
    wrong = 0
    for moment in found:
        fine = (
            moment["code"] == 0 and moment["files"] == files and moment["scores"] == table and not moment["leftovers"]
        )
        wrong += not fine
        if not fine:
            print(json.dumps(moment))
    print(f"{len(found)} moments, {sum(bool(m['killed']) for m in found)} killed a run, {wrong} ended otherwise")
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
