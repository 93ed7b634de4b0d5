"""`kill -9` at moments of a small run, then the same command: it must end in what a run left alone makes.

python killed.py MOMENTS FOLDER [run|bench|processes]

Prints a JSON object a moment, then one of the whole; exits with 1 if one differs. Every run is a fork of this process,
which has imported vitiq: the moments lie in the work, not in imports. `processes` is the study of `bench` with workers,
which outlive their parent for a while.
"""

from __future__ import annotations

import csv
import hashlib
import json
import os
import shutil
import signal
import sys
import time
from pathlib import Path

import numpy as np
from PIL import Image

BENCH = ["bench", "{}", "-c", "jpeg@20:80:20", "-c", "webp@20,50", "-m", "mse"]
STUDIES = {
    "run": ["run", "{}", "-c", "jpeg", "--comparators", "webp,jpeg2000", "--metrics", "mse", "--executor", "inline"],
    "bench": [*BENCH, "--executor", "inline"],
    "processes": [*BENCH, "--executor", "processes", "--jobs", "2"],
}
"""One image, a few codecs, one metric; {} stands for the image."""


def start(study: str, image: Path, out: Path, said: Path) -> int:
    """Process id of a study, in a session of its own."""
    words = [word.format(image) for word in STUDIES[study]]
    child = os.fork()
    if child:
        return child
    code = 77
    try:
        os.setsid()
        file = os.open(said, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666)
        os.dup2(file, 1)
        os.dup2(file, 2)
        from vitiq.cli.main import main

        sys.argv = ["vitiq", *words, "-o", str(out), "--quiet"]
        try:
            main()
            code = 0
        except SystemExit as stopped:
            code = stopped.code if isinstance(stopped.code, int) else 0 if stopped.code is None else 1
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(code)


def run(study: str, image: Path, out: Path, said: Path) -> int:
    """Exit code of a study to its end."""
    return os.waitstatus_to_exitcode(os.waitpid(start(study, image, out, said), 0)[1])


def made(out: Path) -> dict[str, str]:
    """sha256 of the results that are the same in every run: files, reconstructions, originals."""
    folders = ("bitstreams", "reconstructions", "originals")
    files = [path for name in folders for path in sorted((out / name).rglob("*")) if path.is_file()]
    return {str(path.relative_to(out)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def scores(out: Path) -> list[str]:
    """Lines of the table without times and dates: image, codec, bytes and the metric."""
    with (out / "records.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    return sorted(f"{row['image']} {row['codec']} {row['bytes']} {row['mse']}" for row in rows)


def leftovers(out: Path) -> list[str]:
    """Files with a temporary name that a killed run left and its successor did not remove; MARK is none."""
    return [path.name for path in out.rglob(".*") if path.is_file() and path.name != ".vitiq"]


def kill_and_resume(study: str, image: Path, out: Path, after: float) -> dict[str, object]:
    """One moment: start, kill after so many seconds, run again to the end."""
    shutil.rmtree(out, ignore_errors=True)
    said = image.with_suffix(".said")
    child = start(study, image, out, said)
    time.sleep(after)
    ended, _ = os.waitpid(child, os.WNOHANG)
    if not ended:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    before = sum(path.is_file() for path in out.rglob("*"))
    code = run(study, image, out, said)
    return {
        "after": round(after, 3),
        "killed": not ended,
        "files_before": before,
        "code": code,
        "said": said.read_text()[-300:] if code else "",
        "files": made(out),
        "scores": scores(out) if code == 0 else [],
        "leftovers": leftovers(out),
    }


def main() -> None:
    """See above."""
    import vitiq.cli.bench
    import vitiq.cli.run
    import vitiq.codecs.classical.pillow
    import vitiq.evaluation.presets
    import vitiq.metrics.fidelity.pixel
    import vitiq.models.threads
    import vitiq.report.build  # noqa: F401 - imported before any fork, torch among it

    moments, folder = int(sys.argv[1]), Path(sys.argv[2])
    study = sys.argv[3] if len(sys.argv) > 3 else "run"
    folder.mkdir(parents=True, exist_ok=True)
    image = folder / "in.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (24, 32, 3), dtype=np.uint8)).save(image)
    for name in ("warm", "clean"):
        shutil.rmtree(folder / name, ignore_errors=True)
    said = folder / "clean.said"
    run(study, image, folder / "warm", said)
    began = time.monotonic()
    if run(study, image, folder / "clean", said):
        sys.exit(said.read_text())
    seconds = time.monotonic() - began
    files, table = made(folder / "clean"), scores(folder / "clean")
    wrong = killed = 0
    for index in range(moments):
        moment = kill_and_resume(study, image, folder / "out", seconds * (index + 0.5) / moments)
        fine = (moment["code"], moment["files"], moment["scores"], moment["leftovers"]) == (0, files, table, [])
        wrong += not fine
        killed += bool(moment["killed"])
        print(json.dumps({**moment, "fine": fine, "files": len(made(folder / "out"))}), flush=True)
    whole = {
        "study": study,
        "moments": moments,
        "killed": killed,
        "wrong": wrong,
        "files": len(files),
        "rows": len(table),
    }
    print(json.dumps({**whole, "seconds": round(time.monotonic() - began)}))
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
