"""Every metric of a pair beside its reference programs: values, speed, memory; and golden values of the tests.

    python benchmarks/metrics.py --brisque FOLDER --ssimulacra2 PATH --double PATH --wasserstein CHECKOUT \
        --keep KEPT --docs docs/reference/metrics-peers.md
    python benchmarks/metrics.py --brisque FOLDER --only ssim,iw-ssim            # the rows of some metrics, printed
    python benchmarks/metrics.py --brisque FOLDER --folder IMAGES                # differences on images of your own
    python benchmarks/metrics.py --brisque FOLDER --golden tests/golden/data/metrics.json

FOLDER holds LIVE's allmodel and allrange, which piq and pyiqa expect. What the programs need is said in
`metric_peers.py`, `codec_peers.py` and `wasserstein.py`; those that are not named or not installed have no row. LPIPS,
DISTS and Wasserstein Distortion run with random weights of a fixed seed, which suffices to compare programs.

The whole page takes about an hour of one core. What is measured of a metric is kept in KEPT with its date and commit,
which the page names: the same command resumes, and `--keep` with an empty folder measures all anew.

One thread; CPU seconds of the calling process and its children, the smallest of several interleaved runs. Programs
read PNG files, which is part of their time; packages get uint8 arrays.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import math
import os
import platform
import resource
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import metric_peers
import numpy as np
import torch
from codec_metrics import value
from codec_peers import codec_peers
from inputs import KINDS, codec_pairs, degrade, write_random_weights
from keep import kept, today
from metric_memory import extra_memory, with_weights
from metric_memory import table as large_memory
from metric_peers import Call, Peer, difference
from wasserstein import peers as wasserstein_peers

from vitiq.image.geometry import resize
from vitiq.image.io import read_image
from vitiq.metrics.base import PairMetric
from vitiq.metrics.perceptual.brisque import Brisque
from vitiq.metrics.perceptual.brisque_model import load_model
from vitiq.metrics.scoring import resolve_metrics, score_pair
from vitiq.types import ImageU8

SIZES = ((768, 512), (512, 512))
IMAGES = Path(__file__).parents[1] / "examples" / "images"
SHOWN = "animal/jpeg"
"""The pair whose values are shown."""

NETWORKS = ("lpips", "lpips-vgg", "dists", "wasserstein")
MEGAPIXELS = 24

HEAD = """# The metrics beside other programs

    python benchmarks/metrics.py --brisque FOLDER --ssimulacra2 PATH --double PATH --wasserstein CHECKOUT \\
        --keep KEPT --docs docs/reference/metrics-peers.md

Written by this command, which resumes: each row names the day and the commit that it was measured at, a metric and its
programs in turn in one process. *Value*: of the bundled animal as JPEG of quality 33. *Difference*: the largest on 13
pairs, whole, odd, tiny and flat, of those on which both have a value. *ms*: CPU time of a pair on one thread, programs
with what they start and the PNG files that they read; *ratio*: the program's time by ours, above 1 ours is faster;
times on a busy machine scatter. *MiB*: what one pair of 768×512 needs beyond what was held before, caches filled; a
program is counted whole.

`butteraugli`, `vmaf` and `cvvdp` are their programs, called: ours hands over PPM files, planes and arrays, so that
`cvvdp` is level with its package. Networks have random weights. Differences on tiny and flat images where definitions
end are explained in [codec metrics](metrics-codec.md#where-programs-disagree) and
[BRISQUE](metrics.md#brisque).
"""

Kept = dict[str, Any]
"""What is kept of a metric, as JSON has it."""

Pair = tuple[ImageU8, ImageU8]
Pairs = Sequence[Pair]


def bundled(width: int = 512, height: int = 512) -> dict[str, ImageU8]:
    """The bundled images at a size."""
    return {path.stem: resize(read_image(path), width, height) for path in sorted(IMAGES.glob("*.png"))}


def ours(names: Sequence[str], networks: Path) -> dict[str, Call]:
    """Our metrics as calls; BRISQUE of the distorted image alone, as in the peers."""
    calls: dict[str, Call] = {}
    for name in dict.fromkeys(names):
        metric = resolve_metrics(with_weights(name.partition("@")[0], networks) if name in NETWORKS else name)[0]
        assert isinstance(metric, PairMetric)
        calls[name] = _value(metric)
    return calls


def _value(metric: PairMetric) -> Call:
    if isinstance(metric, Brisque):
        return lambda _, b: metric.score_one(b)
    return lambda a, b: metric(a, b).value


def cpu_seconds() -> float:
    """Of this process and those that it called and that ended."""
    spent = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in spent)


def fastest(calls: Mapping[str, Callable[[ImageU8, ImageU8], object]], pairs: Pairs, runs: int) -> dict[str, float]:
    """CPU seconds of a pair of each call, the smallest; runs are interleaved."""
    best = dict.fromkeys(calls, math.inf)
    for _ in range(runs):
        for name, call in calls.items():
            for pair in pairs:
                start = cpu_seconds()
                call(*pair)
                best[name] = min(best[name], cpu_seconds() - start)
    return best


def values_of(calls: Mapping[str, Call], pairs: Mapping[str, Pair]) -> dict[str, dict[str, float | None]]:
    """For every call, its value of every pair."""
    return {key: {name: value(call, pair) for name, pair in pairs.items()} for key, call in calls.items()}


def worst(own: Mapping[str, float | None], theirs: Mapping[str, float | None]) -> tuple[int, float]:
    """On how many pairs both have a value, and the largest difference."""
    both = [(own[name], theirs[name]) for name in own]
    found = [difference(a, b) for a, b in both if a is not None and b is not None]
    return len(found), max(found, default=math.nan)


def measured(name: str, peers: Sequence[Peer], networks: Path, runs: int) -> Kept:
    """Values, differences, times and memory of a metric and its programs, all in turn in this process."""
    calls = ours([name], networks) | {f"{i}": p.run for i, p in enumerate(peers)}
    pairs = {size: [(a, degrade(a, "jpeg")) for a in list(bundled(*size).values())[:2]] for size in SIZES}
    memory = {key: extra_memory(lambda call=call: call(*pairs[SIZES[0]][0])) for key, call in calls.items()}
    times = [fastest(calls, pairs[size], runs) for size in SIZES]
    found = values_of(calls, codec_pairs(bundled_whole()))
    lines = []
    for key, title, equal in [(name, "vitiq", True), *((f"{i}", title_of(p), p.equal) for i, p in enumerate(peers))]:
        count, most = worst(found[name], found[key])
        line = {"program": title, "equal": equal, "value": found[key][SHOWN], "pairs": count, "difference": most}
        lines.append(line | {"seconds": [t[key] for t in times], "memory": memory[key]})
    return {"metric": name, "when": today(), "lines": lines}


def title_of(peer: Peer) -> str:
    """What the table calls a program."""
    return f"{peer.release}, {peer.call}{'' if peer.equal else ' (another definition)'}"


def rows(found: Sequence[Kept]) -> list[str]:
    """The table of metrics and programs."""
    sizes = " | ".join(f"ms, {width}×{height} | ratio" for width, height in SIZES)
    lines = [
        f"| metric | program | value | pairs | difference | {sizes} | MiB |",
        "|---|---|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for one in found:
        first, *others = one["lines"]
        cells = " | ".join(f"{t * 1e3:.1f} |" for t in first["seconds"])
        text = f"| `{one['metric']}` | vitiq, {one['when']} | {shown(first['value'])} | | | {cells}"
        lines.append(f"{text} | {first['memory']:.0f} |")
        for line in others:
            both = zip(line["seconds"], first["seconds"], strict=True)
            cells = " | ".join(f"{t * 1e3:.1f} | {t / own:.1f}" for t, own in both)
            shared = f"{shown(line['value'])} | {line['pairs']} | {line['difference']:.0e} | {cells}"
            lines.append(f"| | {line['program']} | {shared} | {line['memory']:.0f} |")
    return [*slower(found), "", *lines]


def bundled_whole() -> dict[str, ImageU8]:
    """The bundled images as they are."""
    return {path.stem: read_image(path) for path in sorted(IMAGES.glob("*.png"))}


def shown(found: float | None) -> str:
    """A value with the digits that a reader compares."""
    return "–" if found is None else f"{found:.6g}"


def slower(found: Sequence[Kept]) -> list[str]:
    """Where a program at equal results was faster, in words."""
    lines = []
    for one in found:
        own, *others = one["lines"]
        for place, (width, height) in enumerate(SIZES):
            best = min((line["seconds"][place] for line in others if line["equal"]), default=math.inf)
            if best < own["seconds"][place]:
                share = best / own["seconds"][place]
                lines.append(f"- `{one['metric']}` at {width}×{height}: the program takes {share:.2f} of our time")
    if not lines:
        return ["No program of equal results was faster."]
    return ["A program of equal results was faster here:", "", *lines]


def together(names: Sequence[str], networks: Path, runs: int) -> Kept:
    """What it saves to ask for all metrics of a pair at once, which share planes, halves and windows."""
    plain = [name for name in names if name not in NETWORKS and name not in ("butteraugli", "vmaf", "cvvdp", "brisque")]
    metrics = [m for m in resolve_metrics(plain) if isinstance(m, PairMetric)]
    calls: dict[str, Callable[[ImageU8, ImageU8], object]] = dict(ours(plain, networks))
    calls["together"] = lambda a, b: score_pair(a, b, metrics)
    lines = ["| size | one by one, ms | together, ms | saved |", "|---|---:|---:|---:|"]
    for size in SIZES:
        pairs = [(image, degrade(image, "jpeg")) for image in list(bundled(*size).values())[:2]]
        t = fastest(calls, pairs, runs)
        alone = sum(t[name] for name in plain)
        cells = f"{alone * 1e3:.0f} | {t['together'] * 1e3:.0f} | {1 - t['together'] / alone:.0%}"
        lines.append(f"| {size[0]}×{size[1]} | {cells} |")
    which = f"The {len(plain)} metrics above that are neither programs, networks nor BRISQUE"
    head = f"## All metrics of a pair\n\n{which}, CPU time of a pair, {today()}:\n"
    return {"text": "\n".join(["", head, *lines])}


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


def folder_pairs(folder: Path, limit: int) -> dict[str, Pair]:
    """The first images of a folder, at most 767×511 and of odd sizes, under each degradation, and grey as JPEG."""
    pairs = {}
    for number, path in enumerate(sorted(folder.glob("*.png"))[:limit]):
        image = np.ascontiguousarray(read_image(path)[: 511 - 2 * number, : 767 - 4 * number])
        for kind, strength in zip(KINDS, (0.2, 1, 0.4), strict=True):
            pairs[f"{path.stem}/{kind}"] = (image, degrade(image, kind, strength))
        small = np.ascontiguousarray(image[:257, :333])
        grey = np.repeat(small[..., 1:2], 3, axis=2)
        pairs[f"{path.stem}/333×257, JPEG 5"] = (small, degrade(small, "jpeg", 2))
        pairs[f"{path.stem}/grey, JPEG 5"] = (grey, degrade(grey, "jpeg", 2))
    return pairs


def compare(peers: Sequence[Peer], networks: Path, pairs: Mapping[str, Pair]) -> None:
    """Print the largest difference of every program, and on which pair."""
    own = values_of(ours([p.metric for p in peers], networks), pairs)
    for peer in peers:
        theirs = values_of({"": peer.run}, pairs)[""]
        count, most = worst(own[peer.metric], theirs)
        where = [n for n in pairs if worst({n: own[peer.metric][n]}, {n: theirs[n]})[1] == most]
        verdict = "within" if not most > peer.tolerance else "ABOVE"
        text = f"{peer.metric:22} {peer.release}, {peer.call}: {most:.1e} on {where[:1]}, {count} pairs"
        print(f"{text}, {verdict} {peer.tolerance:g}", flush=True)


def main() -> None:
    """Print or write what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--brisque", type=Path, required=True)
    parser.add_argument("--ssimulacra2", help="The C++ program.")
    parser.add_argument("--double", help="The C++ program with ssimulacra2_double.patch.")
    parser.add_argument("--wasserstein", type=Path, help="Checkout of its authors' program.")
    parser.add_argument("--docs", type=Path, help="Write the tables into this page instead of printing them.")
    parser.add_argument("--golden", type=Path, help="Write golden values instead.")
    parser.add_argument("--folder", type=Path, help="Print differences on the images of a folder instead.")
    parser.add_argument("--limit", type=int, default=4, help="Images of the folder.")
    parser.add_argument("--only", help="Metrics, with commas.")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--keep", type=Path, help="Folder of what was measured: the same command resumes.")
    options = parser.parse_args()
    torch.set_num_threads(1)
    torch.set_grad_enabled(False)
    os.environ["VITIQ_BRISQUE_MODEL"] = str(options.brisque)
    with tempfile.TemporaryDirectory() as name:
        networks = Path(name)
        write_random_weights(networks)
        peers = metric_peers.pixel_and_structure() + metric_peers.brisque(load_model(options.brisque))
        peers += metric_peers.perceptual(networks)
        if options.golden:
            golden(options.golden, peers)
            return
        peers += wasserstein_peers(options.wasserstein, networks) if options.wasserstein else []
        peers += codec_peers(options.ssimulacra2, options.double)
        if options.only:
            peers = [p for p in peers if p.metric.partition("@")[0] in options.only.split(",")]
        if options.folder:
            compare(peers, networks, folder_pairs(options.folder, options.limit))
            return
        found = []
        for metric in dict.fromkeys(p.metric for p in peers):
            beside = [p for p in peers if p.metric == metric]
            work = partial(measured, metric, beside, networks, options.runs)
            found.append(kept(options.keep, f"pair {metric}", [title_of(p) for p in beside], work))
        page = "\n".join(rows(found)) + "\n"
        if not options.only:
            names = [one["metric"] for one in found]
            page += (
                kept(options.keep, "together", names, partial(together, names, networks, options.runs))["text"] + "\n"
            )
    if options.docs:
        options.docs.write_text(f"{HEAD}\n{page}\n{large_memory(MEGAPIXELS, keep=options.keep)}", "utf-8")
    else:
        sys.stdout.write(page)


if __name__ == "__main__":
    main()
