"""Values, speed and memory of the metrics that codec people quote, beside their reference programs.

    python benchmarks/codec_metrics.py --ssimulacra2 PATH --double PATH --docs docs/reference/metrics-codec-peers.md
    python benchmarks/codec_metrics.py --ssimulacra2 PATH --double PATH --golden tests/golden/data/codec-metrics.json
    python benchmarks/codec_metrics.py --ssimulacra2 PATH --folder IMAGES      # differences on images of your own
    python benchmarks/codec_metrics.py --megapixels 24                         # peak memory of each metric

What it needs is said in `codec_peers.py`. One thread; CPU seconds of the calling process and its children, the smallest
of several interleaved runs. Programs read PNG files, which is part of their time; packages get uint8 arrays.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import math
import platform
import resource
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from codec_peers import codec_peers
from inputs import KINDS, codec_pairs, degrade
from metric_peers import Call, Peer, difference

from vitiq.errors import VitiqError
from vitiq.image.geometry import resize
from vitiq.image.io import read_image
from vitiq.metrics.base import PairMetric
from vitiq.metrics.scoring import resolve_metrics
from vitiq.types import ImageU8

PROGRAMS = ("butteraugli", "vmaf")
"""Metrics that call a program."""

IMAGES = Path(__file__).parents[1] / "examples" / "images"
SIZES = ((768, 512), (512, 512))
EVERY = (
    *("mse", "rmse", "mae", "psnr-rgb", "psnr-y", "psnr-u", "psnr-v", "ssim", "ssim-y", "ssim-skimage", "ms-ssim"),
    *("ssimulacra2", "iw-ssim", "ms-ssim-y", "vif", "fsim", "nlpd", "psnr-hvs", "psnr-hvs-m", "gmsd", "haarpsi"),
    *("ciede2000", "butteraugli", "vmaf", "cvvdp"),
)


HEAD = """# Codec metrics beside their reference programs

    python benchmarks/codec_metrics.py --ssimulacra2 PATH --double PATH --megapixels 24 --docs PAGE

Written by this command: 13 pairs, whole, odd, tiny and flat, and CPU time on one thread, programs with what they start
and the PNG files that they read. The ratio is the program's time by ours; above 1 ours is faster. `butteraugli` and
`vmaf` are their programs, called (ours by PPM files and planes, large images in tiles). From piq's `fsim` ours differs
on the smallest images (9×8); iqa-pytorch is followed.
"""

MEMORY = """## Memory

VmHWM of a process that measures one pair of 24 megapixels: in all, and beyond what it had after its imports, with the
two images (144 MB). A program that is called counts in both; what it needs is its own.
"""


def bundled() -> dict[str, ImageU8]:
    return {path.stem: read_image(path) for path in sorted(IMAGES.glob("*.png"))}


def ours(names: Sequence[str]) -> dict[str, Call]:
    metrics = [m for m in resolve_metrics(list(dict.fromkeys(names))) if isinstance(m, PairMetric)]
    return {m.name: lambda a, b, m=m: m(a, b).value for m in metrics}


def value(call: Call, pair: tuple[ImageU8, ImageU8]) -> float | None:
    """A value, None where there is none: NaN, an error, an image that is too small."""
    try:
        found = call(*pair)
    except (VitiqError, AssertionError, ValueError, RuntimeError, IndexError, subprocess.CalledProcessError):
        return None
    return found if math.isfinite(found) else None


def golden(path: Path, peers: Sequence[Peer]) -> None:
    pairs = codec_pairs(bundled())
    measured = {peer.metric for peer in peers}
    old = json.loads(path.read_text("utf-8"))["entries"] if path.exists() else []
    entries = [entry for entry in old if entry["metric"] not in measured]
    for peer in peers:
        found = {name: value(peer.run, pair) for name, pair in pairs.items()}
        entries.append(
            {
                "metric": peer.metric,
                "source": peer.release,
                "call": peer.call,
                "tolerance": peer.tolerance,
                "values": {name: None if v is None else round(v, 9) for name, v in found.items()},
            }
        )
    command = "python benchmarks/codec_metrics.py --ssimulacra2 PATH --double PATH --golden"
    facts = {
        "command": f"{command} tests/golden/data/{path.name}",
        "versions": {"python": platform.python_version(), "numpy": np.__version__, "torch": torch.__version__},
        "images": {name: hashlib.sha256(b.tobytes()).hexdigest() for name, (_, b) in pairs.items()},
        "entries": sorted(entries, key=lambda entry: str(entry["metric"])),
    }
    path.write_text(json.dumps(facts, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def cpu_seconds() -> float:
    spent = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in spent)


def fastest(calls: dict[str, Call], pairs: Sequence[tuple[ImageU8, ImageU8]], runs: int) -> dict[str, float]:
    best = dict.fromkeys(calls, math.inf)
    for _ in range(runs):
        for name, call in calls.items():
            for pair in pairs:
                start = cpu_seconds()
                call(*pair)
                best[name] = min(best[name], cpu_seconds() - start)
    return best


def differences(peers: Sequence[Peer], pairs: dict[str, tuple[ImageU8, ImageU8]]) -> list[list[float]]:
    """For every peer, the absolute differences where both have a value."""
    calls = ours([p.metric for p in peers])
    found: list[list[float]] = [[] for _ in peers]
    for pair in pairs.values():
        mine = {name: value(call, pair) for name, call in calls.items()}
        for row, peer in zip(found, peers, strict=True):
            theirs, own = value(peer.run, pair), mine[peer.metric]
            if theirs is not None and own is not None:
                row.append(difference(own, theirs))
    return found


def folder_pairs(folder: Path, limit: int) -> dict[str, tuple[ImageU8, ImageU8]]:
    """The first images of a folder, whole and cropped to odd sizes, under each degradation of two strengths."""
    paths = sorted(folder.glob("*.png"))[:limit]
    pairs = {}
    for number, path in enumerate(paths):
        image = read_image(path)
        image = np.ascontiguousarray(image[: 511 - 2 * number, : 767 - 4 * number])
        for kind, strength in zip(KINDS, (0.2, 1, 0.4), strict=True):
            pairs[f"{path.stem}/{kind}"] = (image, degrade(image, kind, strength))
    return pairs


def compare(peers: Sequence[Peer], pairs: dict[str, tuple[ImageU8, ImageU8]]) -> None:
    for peer, row in zip(peers, differences(peers, pairs), strict=True):
        worst = f"{max(row):.1e} at most, {np.mean(row):.1e} in the mean" if row else "nothing to compare"
        print(f"{peer.metric:26} {peer.release}, {peer.call}: {worst}, {len(row)} pairs")


def report(peers: Sequence[Peer], runs: int) -> str:
    names = list(dict.fromkeys(p.metric for p in peers))
    calls = ours(names) | {f"{p.metric} {i}": p.run for i, p in enumerate(peers)}
    times = {}
    for size in SIZES:
        images = [resize(image, *size) for image in bundled().values()][:2]
        times[size] = fastest(calls, [(image, degrade(image, "jpeg")) for image in images], runs)
    rows = differences(peers, codec_pairs(bundled()))
    lines = [
        "| metric | reference program | pairs | largest difference | ms, 768×512 | ratio | ms, 512×512 | ratio |",
        "|---|---|---:|---:|---:|---:|---:|---:|",
    ]
    for name in names:
        cells = " | ".join(f"{t[name] * 1e3:.1f} | " for t in times.values())
        lines.append(f"| `{name}` | vitiq | | | {cells}|")
        for i, (peer, row) in enumerate(zip(peers, rows, strict=True)):
            if peer.metric == name:
                key = f"{name} {i}"
                cells = " | ".join(f"{t[key] * 1e3:.1f} | {t[key] / t[name]:.1f}" for t in times.values())
                worst = f"{max(row):.0e}" if row else "–"
                lines.append(f"| | {peer.release}, {peer.call} | {len(row)} | {worst} | {cells} |")
    return "\n".join(lines) + "\n"


def memory_of(name: str, megapixels: float) -> tuple[float, float]:
    """Peak MiB of a process that measures one pair: in all, and beyond imports and the two images. A program that the
    metric calls counts in both."""
    side = int((megapixels * 1e6 * 2 / 3) ** 0.5)
    rng = np.random.default_rng(0)
    a = np.kron(
        rng.integers(0, 256, (side // 16, side * 3 // 2 // 16, 3), dtype=np.uint8), np.ones((16, 16, 1), np.uint8)
    )
    b = a ^ rng.integers(0, 8, a.shape, dtype=np.uint8)
    call = ours([name])[name]
    call(np.ascontiguousarray(a[:200, :200]), np.ascontiguousarray(b[:200, :200]))
    Path("/proc/self/clear_refs").write_text("5")
    before = _peak()
    call(a, b)
    called = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024 if name in PROGRAMS else 0
    return _peak() + called, _peak() - before + called


def _peak() -> float:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:")) / 1024


def memory(megapixels: float, names: Sequence[str]) -> str:
    """A table of all metrics, each in a process of its own."""
    lines = ["| metric | MiB in all | beyond imports and the images |", "|---|---:|---:|"]
    for name in names:
        command = [sys.executable, "-W", "ignore", __file__, "--megapixels", str(megapixels), "--memory-of", name]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        cells = done.stdout.split() if done.returncode == 0 else ["not here", ""]
        lines.append(f"| `{name}` | {cells[0]} | {cells[1]} |")
        print(lines[-1], file=sys.stderr, flush=True)
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ssimulacra2", help="The C++ program.")
    parser.add_argument("--double", help="The C++ program with ssimulacra2_double.patch.")
    parser.add_argument("--docs", type=Path, help="Write the table into this page instead of printing it.")
    parser.add_argument("--golden", type=Path, help="Write golden values instead.")
    parser.add_argument("--folder", type=Path, help="Print differences on the images of a folder instead.")
    parser.add_argument("--limit", type=int, default=4, help="Images of the folder.")
    parser.add_argument("--only", help="Metrics, with commas.")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--megapixels", type=float, help="Print peak memory instead.")
    parser.add_argument("--memory-of", help=argparse.SUPPRESS)
    options = parser.parse_args()
    torch.set_num_threads(1)
    torch.set_grad_enabled(False)
    if options.memory_of:
        print(*(f"{found:.0f}" for found in memory_of(options.memory_of, options.megapixels)))
        return
    if options.megapixels and not options.docs:
        print(memory(options.megapixels, options.only.split(",") if options.only else EVERY))
        return
    peers = codec_peers(options.ssimulacra2, options.double)
    if options.only:
        peers = [p for p in peers if p.metric.partition("@")[0] in options.only.split(",")]
    if options.golden:
        golden(options.golden, peers)
    elif options.folder:
        compare(peers, folder_pairs(options.folder, options.limit))
    elif options.docs:
        parts = [HEAD, report(peers, options.runs)]
        if options.megapixels:
            parts += [MEMORY, memory(options.megapixels, EVERY)]
        options.docs.write_text("\n".join(parts), "utf-8")
    else:
        print(report(peers, options.runs))


if __name__ == "__main__":
    main()
