"""`kill -9` at moments of a small run, then the same command: it must end in what a run left alone makes.

python killed.py MOMENTS FOLDER [run|bench|processes]

Prints a JSON object a moment, then one of the whole; exits with 1 if one differs. It goes on until so many runs were
killed before their end, and resumes: what it has is in FOLDER/moments.jsonl. Every run is a fork of this process, which
has done the same work once: the moments lie in the work, not in imports. `processes` is the study of `bench` with
workers, which outlive their parent for a while; they are forks too.
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
from multiprocessing import get_context
from pathlib import Path
from statistics import median

import numpy as np
from PIL import Image

BENCH = ["bench", "{}", "-c", "jpeg@20:80:20", "-c", "webp@20,50", "-m", "mse"]
STUDIES = {
    "run": ["run", "{}", "-c", "jpeg", "--comparators", "webp,jpeg2000", "--metrics", "mse", "--executor", "inline"],
    "bench": [*BENCH, "--executor", "inline"],
    "processes": [*BENCH, "--executor", "processes", "--jobs", "2"],
}
"""One image, a few codecs, one metric; {} stands for the image."""
GOLDEN_RATIO = 0.618_033_988_749_895
"""Multiples of it, modulo 1, lie evenly in 0 … 1 however many there are."""


def fork_workers() -> None:
    """Have worker processes be forks, which have imported everything, where vitiq starts them afresh."""
    from vitiq import workers

    workers.get_context = lambda _: get_context("fork")  # type: ignore[assignment, attr-defined]


def study(words: list[str]) -> int:
    """Exit code of a command in this process."""
    from vitiq.cli.main import main

    sys.argv = ["vitiq", *words, "--quiet"]
    try:
        main()
    except SystemExit as stopped:
        return stopped.code if isinstance(stopped.code, int) else 0 if stopped.code is None else 1
    return 0


def start(words: list[str], said: Path) -> int:
    """Process id of a command in a session of its own; what it prints goes to a file."""
    child = os.fork()
    if child:
        return child
    code = 77
    try:
        os.setsid()
        file = os.open(said, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666)
        os.dup2(file, 1)
        os.dup2(file, 2)
        code = study(words)
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(code)


def run(words: list[str], said: Path) -> int:
    """Exit code of a command to its end, in a fork."""
    return os.waitstatus_to_exitcode(os.waitpid(start(words, said), 0)[1])


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


def kill_and_resume(words: list[str], out: Path, said: Path, after: float) -> dict[str, object]:
    """One moment: start, kill after so many seconds, run again to the end."""
    shutil.rmtree(out, ignore_errors=True)
    child = start(words, said)
    time.sleep(after)
    ended, _ = os.waitpid(child, os.WNOHANG)
    if not ended:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    before = sum(path.is_file() for path in out.rglob("*"))
    code = run(words, said)
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


def clean(words: list[str], out: Path, said: Path) -> float:
    """Median seconds of three undisturbed runs; their results stay in `out`."""
    seconds = []
    for _ in range(3):
        shutil.rmtree(out, ignore_errors=True)
        began = time.monotonic()
        if run(words, said):
            sys.exit(said.read_text())
        seconds.append(time.monotonic() - began)
    return median(seconds)


def main() -> None:
    """See above."""
    number, folder = int(sys.argv[1]), Path(sys.argv[2])
    name = sys.argv[3] if len(sys.argv) > 3 else "run"
    folder.mkdir(parents=True, exist_ok=True)
    image, said, out = folder / "in.png", folder / "said", folder / "out"
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (24, 32, 3), dtype=np.uint8)).save(image)
    words = [word.format(image) for word in STUDIES[name]]
    warm = ["inline" if word == "processes" else word for word in words]
    shutil.rmtree(out, ignore_errors=True)
    sys.stdout, shown = sys.stderr, sys.stdout
    study([*warm, "-o", str(out)])  # imports and caches, torch among them, before any fork
    sys.stdout = shown
    fork_workers()
    words += ["-o", str(out)]
    seconds = clean(words, out, said)
    files, table = made(out), scores(out)
    kept = folder / "moments.jsonl"
    done = [json.loads(line) for line in kept.read_text().splitlines()] if kept.exists() else []
    for line in done:
        print(json.dumps(line), flush=True)
    began = time.monotonic()
    while sum(line["killed"] for line in done) < number and len(done) < 3 * number:
        moment = kill_and_resume(words, out, said, seconds * (GOLDEN_RATIO * (len(done) + 1) % 1))
        fine = (moment["code"], moment["files"], moment["scores"], moment["leftovers"]) == (0, files, table, [])
        done.append({**moment, "fine": fine, "files": len(made(out))})
        with kept.open("a") as file:
            file.write(json.dumps(done[-1]) + "\n")
        print(json.dumps(done[-1]), flush=True)
    wrong = sum(not line["fine"] for line in done)
    whole = {"study": name, "moments": len(done), "killed": sum(line["killed"] for line in done), "wrong": wrong}
    print(json.dumps({**whole, "files": len(files), "rows": len(table), "seconds": round(time.monotonic() - began)}))
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
