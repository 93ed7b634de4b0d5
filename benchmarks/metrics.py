"""Speed, memory and values of the metrics of a pair beside other packages, and the golden values of the tests.

    python benchmarks/metrics.py --brisque FOLDER --docs docs/reference/metrics-peers.md
    python benchmarks/metrics.py --brisque FOLDER --golden tests/golden/data/metrics.json

Needs scikit-image, torchmetrics, piq, pyiqa, lpips and torchvision. FOLDER holds LIVE's allmodel and allrange, which
piq and pyiqa expect. Images are the bundled ones, degraded (`inputs.degrade`); LPIPS and DISTS run on one pair with
random weights of a fixed seed, which suffices to compare programs. Every program gets uint8 images and works on as
many pairs at a time as there are cores, one thread a pair; the smallest of several interleaved runs counts.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import metric_peers
import numpy as np
import torch
from inputs import KINDS, degrade, write_random_weights
from metric_peers import Call, Peer

from vitiq.image.geometry import resize
from vitiq.image.io import read_image
from vitiq.metrics.base import PairMetric
from vitiq.metrics.perceptual.brisque import Brisque
from vitiq.metrics.perceptual.brisque_model import load_model
from vitiq.metrics.scoring import resolve_metrics, score_pair
from vitiq.types import ImageU8

TABLE = (
    "mse",
    "rmse",
    "mae",
    "psnr-rgb",
    "psnr-y",
    "ssim",
    "ssim-y",
    "ssim-skimage",
    "ms-ssim",
    "ms-ssim-y",
    "brisque",
)
NETWORKS = ("lpips", "lpips-vgg", "dists")
SIZES = ((768, 512), (512, 512))
IMAGES = Path(__file__).parents[1] / "examples" / "images"
GOAL = 3
NETWORK_PAIRS = 1
NETWORK_SIDE = 128
"""Side of the images on which networks' values are compared, for speed; the golden values are of 512×512."""

Pairs = Sequence[tuple[ImageU8, ImageU8]]


def bundled(width: int = 512, height: int = 512) -> dict[str, ImageU8]:
    """The bundled images at a size."""
    return {path.stem: resize(read_image(path), width, height) for path in sorted(IMAGES.glob("*.png"))}


def many_pairs(width: int, height: int, count: int) -> Pairs:
    """Pairs of every image, degradation and two strengths."""
    images = bundled(width, height).values()
    pairs = [(image, degrade(image, kind, strength)) for strength in (0.5, 1) for image in images for kind in KINDS]
    return pairs[:count]


def ours(brisque: Path, networks: Path) -> dict[str, Call]:
    """Our metrics as calls; BRISQUE of the distorted image alone, as in the peers."""
    metrics = {m.name: m for m in resolve_metrics([*TABLE, *(f"{name}@{networks}" for name in NETWORKS)])}
    calls = {name: _value(metric) for name, metric in metrics.items() if isinstance(metric, PairMetric)}
    return {**calls, "brisque": lambda _, b: Brisque(brisque).score_one(b)}


def _value(metric: PairMetric) -> Call:
    return lambda a, b: metric(a, b).value


def seconds(call: Callable[[ImageU8, ImageU8], object], pairs: Pairs, workers: int) -> float:
    """Wall time of all pairs."""
    with ThreadPoolExecutor(workers) as threads:
        start = time.perf_counter()
        list(threads.map(lambda pair: call(*pair), pairs))
        return time.perf_counter() - start


def fastest(
    calls: Mapping[str, Callable[[ImageU8, ImageU8], object]], pairs: Pairs, workers: int, runs: int
) -> dict[str, float]:
    """Seconds a pair of each call, runs interleaved."""
    best = dict.fromkeys(calls, float("inf"))
    for _ in range(runs):
        for name, call in calls.items():
            best[name] = min(best[name], seconds(call, pairs, workers) / len(pairs))
    return best


def values(calls: Mapping[str, Call], peers: Sequence[Peer]) -> dict[str, dict[str, tuple[float, list[float]]]]:
    """For every image and degradation: for every metric, our value and its peers'."""
    found = {}
    small = bundled(NETWORK_SIDE, NETWORK_SIDE)
    for name, image in bundled().items():
        for kind in KINDS:
            pairs = [(a, degrade(a, kind)) for a in (image, small[name])]
            found[f"{name}/{kind}"] = {
                key: (call(*pair), [p.run(*pair) for p in peers if p.metric == key])
                for key, call in calls.items()
                for pair in [pairs[key in NETWORKS]]
            }
    return found


def golden(path: Path, peers: Sequence[Peer]) -> None:
    """Peers' values with their source and tolerance, for the tests."""
    pairs = {f"{n}/{k}": (i, degrade(i, k)) for n, i in bundled().items() for k in KINDS}
    entries = [
        {
            "metric": peer.metric,
            "source": peer.release,
            "call": peer.call,
            "tolerance": peer.tolerance,
            "values": {name: round(peer.run(*pair), 9) for name, pair in pairs.items()},
        }
        for peer in peers
        if peer.equal
    ]
    result = {
        "command": "python benchmarks/metrics.py --brisque FOLDER --golden tests/golden/data/metrics.json",
        "versions": {"python": platform.python_version(), "numpy": np.__version__, "torch": torch.__version__},
        "images": {name: hashlib.sha256(other.tobytes()).hexdigest() for name, (_, other) in pairs.items()},
        "entries": entries,
    }
    path.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


def table(pair: tuple[ImageU8, ImageU8], metrics: Sequence[PairMetric]) -> None:
    """All metrics of the table, sharing what they have in common; BRISQUE of both images."""
    score_pair(pair[0], pair[1], metrics)


def peak_memory(who: str, brisque: Path, workers: int) -> float:
    """MiB that a fresh process needs beyond imports and images, for "ours" (the table) or a package's metrics."""
    command = [sys.executable, "-W", "ignore", __file__, "--brisque", str(brisque), "--memory-of", who]
    done = subprocess.run([*command, "--workers", str(workers)], check=True, capture_output=True, text=True)
    return float(done.stdout.split()[-1])


def measure_memory(who: str, brisque: Path, workers: int) -> float:
    """What `peak_memory` asks of the fresh process."""
    pairs = many_pairs(*SIZES[0], 2 * workers)
    if who == "ours":
        metrics = [m for m in resolve_metrics(TABLE) if isinstance(m, PairMetric)]
        calls: list[Callable[[ImageU8, ImageU8], object]] = [lambda a, b: table((a, b), metrics)]
    else:
        every = metric_peers.pixel_and_structure() + metric_peers.brisque(load_model(brisque))
        calls = [peer.run for peer in every if peer.package == who]
    tiny = [(np.ascontiguousarray(a[:200, :200]), np.ascontiguousarray(b[:200, :200])) for a, b in pairs[:1]]
    for call in calls:
        seconds(call, tiny, 1)
    Path("/proc/self/clear_refs").write_text("5")  # the peak starts again from what is held now
    before = _peak()
    for call in calls:
        seconds(call, pairs, workers)
    return _peak() - before


def _peak() -> float:
    """MiB that this program held at most. Linux's; getrusage would answer with the starting program's peak."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:")) / 1024


def report(calls: dict[str, Call], peers: Sequence[Peer], brisque: Path, *, workers: int, count: int, runs: int) -> str:
    """The page of docs: speed of the whole table, memory, and every metric beside every peer."""
    metrics = [m for m in resolve_metrics(TABLE) if isinstance(m, PairMetric)]
    found = values(calls, peers)
    times: dict[tuple[int, int], dict[str, float]] = {}
    for size in SIZES:
        pairs = many_pairs(*size, count)
        light: dict[str, Callable[[ImageU8, ImageU8], object]] = {name: calls[name] for name in TABLE}
        light["table"] = lambda a, b: table((a, b), metrics)
        light |= {f"{p.metric} {p.package}": p.run for p in peers if p.metric in TABLE}
        times[size] = fastest(light, pairs, workers, runs)
        heavy: dict[str, Callable[[ImageU8, ImageU8], object]] = {name: calls[name] for name in NETWORKS}
        heavy |= {f"{p.metric} {p.package}": p.run for p in peers if p.metric in NETWORKS}
        times[size] |= fastest(heavy, pairs[:NETWORK_PAIRS], workers, runs)
    packages = sorted({p.package for p in peers if p.metric in TABLE})
    memory = {who: peak_memory(who, brisque, workers) for who in ("ours", *packages)}
    parts = [_summary(times, peers, memory, workers, count), _slower(times, peers), _rows(times, peers, found, calls)]
    return "\n\n".join("\n".join(part) for part in parts) + "\n"


def _best_peer(times: Mapping[str, float], peers: Sequence[Peer], metric: str) -> float:
    return min(times[f"{p.metric} {p.package}"] for p in peers if p.metric == metric and p.equal)


def _summary(
    times: Mapping[tuple[int, int], Mapping[str, float]],
    peers: Sequence[Peer],
    memory: Mapping[str, float],
    workers: int,
    count: int,
) -> list[str]:
    lines = [
        f"{count} pairs a size, {workers} at a time, of networks {NETWORK_PAIRS}; milliseconds a pair. Times on a busy",
        "machine scatter: ratios are the figures to read, and those of short calls only roughly.",
        "",
        "The table is every metric but the networks, through `score_pair`, which computes BRISQUE of both images;",
        f"peers are summed with BRISQUE of one image and of both. The goal is {GOAL} with one.",
        "",
        "| size | table | fastest equal peers | ratio | with BRISQUE of both | ratio | goal |",
        "|---|---:|---:|---:|---:|---:|---|",
    ]
    for (width, height), t in times.items():
        one = sum(_best_peer(t, peers, metric) for metric in TABLE)
        both = one + _best_peer(t, peers, "brisque")
        cells = " | ".join(f"{total * 1e3:.1f} | {total / t['table']:.1f}" for total in (one, both))
        verdict = "reached" if one >= GOAL * t["table"] else "not reached"
        lines.append(f"| {width}×{height} | {t['table'] * 1e3:.1f} | {cells} | {verdict} |")
    lines += ["", "Peak memory beyond imports and images, 768×512:", "", "| program | MiB |", "|---|---:|"]
    lines += [f"| {'vitiq, the table' if who == 'ours' else who} | {mib:.0f} |" for who, mib in memory.items()]
    return lines


def _slower(times: Mapping[tuple[int, int], Mapping[str, float]], peers: Sequence[Peer]) -> list[str]:
    """Where a peer at equal results was faster, in words."""
    lines = [
        f"- `{metric}` at {width}×{height}: the peer takes {_best_peer(t, peers, metric) / t[metric]:.2f} of our time"
        for metric in (*TABLE, *NETWORKS)
        for (width, height), t in times.items()
        if _best_peer(t, peers, metric) < t[metric]
    ]
    if not lines:
        return ["No peer was faster in this run."]
    return ["In this run a peer at equal results was faster here:", "", *lines]


def _rows(
    times: Mapping[tuple[int, int], Mapping[str, float]],
    peers: Sequence[Peer],
    found: Mapping[str, Mapping[str, tuple[float, list[float]]]],
    calls: Mapping[str, Call],
) -> list[str]:
    sizes = [f"{w}×{h}" for w, h in times]
    lines = [
        f"Means over the bundled images at 512×512 (networks, with random weights: {NETWORK_SIDE}×{NETWORK_SIDE})",
        "under JPEG of quality 10, blur of radius 2 and noise of σ 25; the largest difference from ours; the peer's",
        "time by ours.",
        "BRISQUE depends on rounding where images are flat ([more](metrics.md#brisque)).",
        "",
        f"| metric | by | JPEG | blur | noise | difference | ms, {sizes[0]} | ratio | ms, {sizes[1]} | ratio |",
        "|---|---|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for metric in calls:
        mine = [p for p in peers if p.metric == metric]
        means = [_means(found, metric, None), *(_means(found, metric, i) for i in range(len(mine)))]
        cells = " | ".join(f"{t[metric] * 1e3:.1f} | " for t in times.values())
        lines.append(f"| `{metric}` | vitiq | {_numbers(means[0])} | | {cells}|")
        for index, peer in enumerate(mine):
            worst = max(metric_peers.difference(v[metric][0], v[metric][1][index]) for v in found.values())
            key = f"{metric} {peer.package}"
            cells = " | ".join(f"{t[key] * 1e3:.1f} | {t[key] / t[metric]:.1f}" for t in times.values())
            name = f"{peer.release}, {peer.call}{'' if peer.equal else ' (another definition)'}"
            lines.append(f"| | {name} | {_numbers(means[1 + index])} | {worst:.1g} | {cells} |")
    return lines


def _means(found: Mapping[str, Mapping[str, tuple[float, list[float]]]], metric: str, peer: int | None) -> list[float]:
    means = []
    for kind in KINDS:
        rows = [v[metric] for name, v in found.items() if name.endswith(kind)]
        means.append(float(np.mean([row[0] if peer is None else row[1][peer] for row in rows])))
    return means


def _numbers(means: Sequence[float]) -> str:
    return " | ".join(f"{mean:.4f}" if abs(mean) < 10 else f"{mean:.2f}" for mean in means)


def main() -> None:
    """Print or write what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--brisque", type=Path, required=True)
    parser.add_argument("--docs", type=Path, help="Write the tables into this page instead of printing them.")
    parser.add_argument("--golden", type=Path, help="Write golden values instead.")
    parser.add_argument("--pairs", type=int, default=24)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--memory-of", help=argparse.SUPPRESS)
    options = parser.parse_args()
    torch.set_num_threads(1)
    torch.set_grad_enabled(False)
    if options.memory_of:
        print(measure_memory(options.memory_of, options.brisque, options.workers))
        return
    os.environ["VITIQ_BRISQUE_MODEL"] = str(options.brisque)
    with tempfile.TemporaryDirectory() as name:
        networks = Path(name)
        write_random_weights(networks)
        peers = metric_peers.pixel_and_structure() + metric_peers.brisque(load_model(options.brisque))
        peers += metric_peers.perceptual(networks)
        if options.golden:
            golden(options.golden, peers)
            return
        calls = ours(options.brisque, networks)
        sizes = {"workers": options.workers, "count": options.pairs, "runs": options.runs}
        page = report(calls, peers, options.brisque, **sizes)
    if options.docs:
        command = "python benchmarks/metrics.py --brisque FOLDER --docs docs/reference/metrics-peers.md"
        command += f" --pairs {options.pairs} --runs {options.runs}"
        options.docs.write_text(f"# The metrics beside other packages\n\nWritten by `{command}`.\n\n{page}", "utf-8")
    else:
        print(page)


if __name__ == "__main__":
    main()
