"""Peak memory of a metric: of a pair beyond what was held before, and of whole processes at many megapixels.

    python benchmarks/metric_memory.py 24                     # a table of every metric, megapixels
    python benchmarks/metric_memory.py 24 --only vmaf,lpips
    python benchmarks/metric_memory.py 24 --rows 0 --only lpips-vgg    # on all rows, which takes many minutes

Linux's: /proc/PID/status has the most that a process held (VmHWM). LPIPS, DISTS and Wasserstein Distortion have random
weights of the published layouts.
"""

from __future__ import annotations

import argparse
import ctypes
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

import numpy as np
import torch
from inputs import write_random_weights
from keep import kept, today
from metric_peers import prepare

from vitiq import registry
from vitiq.errors import VitiqError
from vitiq.metrics.base import PairMetric
from vitiq.metrics.perceptual.base import PerceptualMetric
from vitiq.metrics.scoring import resolve_metrics
from vitiq.types import ImageU8

STRIP = 400
SLOW = ("lpips-vgg", "wasserstein")
"""Metrics of VGG-16, which take many minutes of a core for 24 megapixels, are measured on STRIP rows of the same width.

They read by rows, so that what they hold grows with the width alone; `--rows` says so of other sizes, `--rows 0` takes
the whole image.
"""

NOT_HERE = 3
"""Exit code of a process whose metric lacks its program, package or weights."""

EVERY = tuple(name for name in registry.names("metrics") if issubclass(registry.load("metrics", name), PairMetric))
HEAD = """## Memory at {megapixels:g} megapixels

    python benchmarks/metric_memory.py {megapixels:g}

The most that a process held (VmHWM) that measures one pair of {width}×{height}: in all, and beyond what it had after
its imports, with the two images ({images:.0f} MiB) and its network. A program that is called counts in both.
"""

LEARNED = """LPIPS and Wasserstein Distortion read images above 0.5 megapixels, and ColorVideoVDP above 1, by rows, with
the value of the whole image to 1e-6 of it and to 1e-5 JOD (`tests/unit/test_metrics_by_rows.py`); Butteraugli goes
through its program [in tiles](metrics-codec.md#where-programs-disagree);
DISTS makes a large image small, as its authors do. What the metrics of VGG-16 hold beyond the images depends on the
width alone: they were measured on the rows of it that are named, and the rest of the two images added."""


def peak_of(pid: int | str = "self") -> float:
    """MiB that a process held at most; 0 of one that has ended."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next((int(line.split()[1]) for line in lines if line.startswith("VmHWM:")), 0) / 1024


@contextmanager
def watched_programs() -> Iterator[list[float]]:
    """The most MiB that any program held which this process calls within the block: asked for every 2 ms.

    A child that is still this program, since it has not begun the other one, is not counted.
    """
    found, over, mine = [0.0], threading.Event(), Path("/proc/self/exe").readlink()

    def watch() -> None:
        while not over.wait(0.002):
            for listed in Path("/proc/self/task").glob("*/children"):
                with suppress(OSError):
                    pids = [pid for pid in listed.read_text().split() if Path(f"/proc/{pid}/exe").readlink() != mine]
                    found[0] = max([found[0], *map(peak_of, pids)])

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield found
    finally:
        over.set()
        thread.join()


def extra_memory(call: Callable[[], object]) -> float:
    """MiB that a call needs beyond what this process holds, and the programs that it calls.

    Measured in a fork of this process, which ends then; the first run fills caches.
    """
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            call()
            ctypes.CDLL("libc.so.6").malloc_trim(0)
            Path("/proc/self/clear_refs").write_text("5")  # the peak starts again from what is held now
            before = peak_of()
            with watched_programs() as programs:
                call()
            os.write(writing, f"{peak_of() - before + programs[0]:.1f}".encode())
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as answer:
        text = answer.read()
    os.waitpid(child, 0)
    return float(text or "nan")


def large_pair(megapixels: float, rows: int | None = None) -> tuple[ImageU8, ImageU8]:
    """Blocks of random colours 3:2, and the same with noise.

    Args:
        rows: at most so many, of the same width.
    """
    side = int((megapixels * 1e6 * 2 / 3) ** 0.5) // 16
    rng = np.random.default_rng(0)
    blocks = rng.integers(0, 256, (side, side * 3 // 2, 3), dtype=np.uint8)
    image = np.kron(blocks, np.ones((16, 16, 1), np.uint8))[:rows].copy()
    return image, image ^ rng.integers(0, 8, image.shape, dtype=np.uint8)


def with_weights(name: str, weights: Path) -> str:
    """The metric's name with the folder of its weights, if it wants one."""
    kind = registry.load("metrics", name)
    return f"{name}@{weights}" if issubclass(kind, PerceptualMetric) else name


def of_process(name: str, megapixels: float, weights: Path, rows: int | None = None) -> tuple[float, float]:
    """Peak MiB of this process with one pair: in all, and beyond imports and the two images."""
    if name.startswith("cvvdp"):
        prepare()
    metric = resolve_metrics(with_weights(name, weights))[0]
    assert isinstance(metric, PairMetric)
    a, b = large_pair(megapixels, rows)
    metric(np.ascontiguousarray(a[:224, :224]), np.ascontiguousarray(b[:224, :224]))
    Path("/proc/self/clear_refs").write_text("5")
    before = peak_of()
    with watched_programs() as programs:
        metric(a, b)
    return peak_of() + programs[0], peak_of() - before + programs[0]


def table(megapixels: float, names: Sequence[str] = EVERY, keep: Path | None = None, rows: int | None = None) -> str:
    """Every metric, each in a process of its own.

    Args:
        keep: folder of what was measured in earlier runs.
        rows: of the image, 0 for all; None for STRIP where a metric is SLOW and all else.
    """
    height, width, _ = large_pair(megapixels)[0].shape
    head = HEAD.format(megapixels=megapixels, height=height, width=width, images=6 * height * width / 2**20)
    lines = [head, "| metric | MiB in all | beyond imports and the images | measured |", "|---|---:|---:|---|"]
    with tempfile.TemporaryDirectory() as folder:
        write_random_weights(Path(folder))
        for name in names:
            few = (STRIP if name in SLOW else 0) if rows is None else rows
            work = partial(in_process, name, megapixels, folder, few)
            found = kept(keep, f"memory {megapixels:g}{f' {few} rows' if few else ''} {name}", [], work)
            lines.append(f"| `{name}` | {found.get('cells', 'not here |')} | {found.get('when', '')} |")
            print(lines[-1], file=sys.stderr, flush=True)
    return "\n".join([*lines, "", LEARNED]) + "\n"


def in_process(name: str, megapixels: float, weights: str, rows: int) -> dict[str, str]:
    """`of_process` in a new process: its two cells of the table, and when; empty where the metric is not here."""
    command = [sys.executable, "-W", "ignore", __file__, f"{megapixels}", "--of", name, "--weights", weights]
    command += ["--rows", f"{rows}"] if rows else []
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode == NOT_HERE:
        return {}
    if done.returncode:
        sys.exit(f"{name}: {done.stderr.strip()}")
    whole, beyond = map(float, done.stdout.split())
    if rows:  # with the rows of both images that were left out
        whole += sum(image.nbytes for image in large_pair(megapixels)) / 2**20
        whole -= sum(image.nbytes for image in large_pair(megapixels, rows)) / 2**20
    when = f"{today()}{f', {rows} rows' if rows else ''}"
    return {"cells": f"{whole:.0f} | {beyond:.0f}", "when": when}


def main() -> None:
    """Print a table, or what a process of it finds."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("megapixels", type=float)
    parser.add_argument("--only", help="Metrics, with commas.")
    parser.add_argument("--keep", type=Path, help="Folder of what was measured: the same command resumes.")
    parser.add_argument("--rows", type=int, help="So many rows of the image, in the same width; 0 for all.")
    parser.add_argument("--of", help=argparse.SUPPRESS)
    parser.add_argument("--weights", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    torch.set_num_threads(1)
    torch.set_grad_enabled(False)
    if options.of:
        try:
            found = of_process(options.of, options.megapixels, options.weights, options.rows)
            print(*(f"{size:.0f}" for size in found))
        except VitiqError as error:
            print(error, file=sys.stderr)
            sys.exit(NOT_HERE)
        return
    print(table(options.megapixels, options.only.split(",") if options.only else EVERY, options.keep, options.rows))


if __name__ == "__main__":
    main()
