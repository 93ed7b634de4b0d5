"""Fréchet distance of two Gaussians: ours against the ways that published tools take, on the same covariances.

    python benchmarks/frechet.py [--dimensions 2048] [--repeats 3]

Ours and the others take turns in one process; the smallest time of each counts. Peers, each as its tool computes it:
scipy.linalg.sqrtm of the product (pytorch-fid, clean-fid), numpy's eigenvalues of the product (torch-fidelity), torch's
eigenvalues of the product (torchmetrics). The spectrum falls like that of InceptionV3's features: a few large
directions and a long tail.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import numpy as np
import torch
from scipy import linalg

from vitiq.metrics.sets.frechet import frechet_distance, frechet_of_moments
from vitiq.metrics.sets.moments import Moments, RunningMoments


def samples(n: int, d: int, seed: int) -> np.ndarray:
    """Correlated samples; sets of different seeds differ a little in mean and covariance."""
    rng = np.random.default_rng(seed)
    mix = np.random.default_rng(0).normal(size=(d, d)) / np.sqrt(d)
    scales = 1 / np.sqrt(1 + np.arange(d) / 8) * (1 + 0.1 * seed * np.cos(np.arange(d)))
    return rng.normal(size=(n, d)) * scales @ mix + 0.02 * seed


def with_root(a: Moments, b: Moments, trace: Callable[[], float]) -> float:
    """The distance, given the trace of the root of Σa Σb."""
    shift = np.square(a.mean - b.mean).sum()
    return float(shift + np.trace(a.covariance) + np.trace(b.covariance) - 2 * trace())


def peers(a: Moments, b: Moments) -> dict[str, Callable[[], float]]:
    """Ways to take the trace of the root of Σa Σb."""
    x, y = a.covariance, b.covariance
    return {
        "scipy sqrtm (pytorch-fid, clean-fid)": lambda: float(np.trace(linalg.sqrtm(x @ y)).real),
        "numpy eigvals (torch-fidelity)": lambda: float(np.sqrt(np.linalg.eigvals(x @ y).astype(complex)).real.sum()),
        "torch eigvals (torchmetrics)": lambda: float(
            torch.linalg.eigvals(torch.from_numpy(x) @ torch.from_numpy(y)).sqrt().real.sum()
        ),
    }


def seconds(work: Callable[[], float]) -> tuple[float, float]:
    """Time and value."""
    start = time.perf_counter()
    value = work()
    return time.perf_counter() - start, value


def main() -> None:
    """Print a table for each number of dimensions, and one for fewer samples than dimensions."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dimensions", type=int, default=[192, 768, 2048], nargs="*")
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    for d in options.dimensions:
        sets = [samples(2 * d + 500, d, seed) for seed in (1, 2)]
        a, b = (RunningMoments([s]).result() for s in sets)
        work = {"vitiq": lambda a=a, b=b: frechet_of_moments(a, b)}
        work |= {name: lambda t=t, a=a, b=b: with_root(a, b, t) for name, t in peers(a, b).items()}
        few = [s[: d // 2] for s in sets]
        c, e = (RunningMoments([s]).result() for s in few)
        report(f"{d} dimensions, {len(sets[0])} samples", work, options.repeats)
        work = {"vitiq": lambda few=few: frechet_distance(*few)}
        work |= {name: lambda t=t, c=c, e=e: with_root(c, e, t) for name, t in list(peers(c, e).items())[:1]}
        report(f"{d} dimensions, {d // 2} samples (singular covariances)", work, options.repeats)


def report(title: str, work: dict[str, Callable[[], float]], repeats: int) -> None:
    """A Markdown table: seconds, ratio to ours, value, relative difference from ours."""
    runs = [{name: seconds(one) for name, one in work.items()} for _ in range(repeats)]
    best = {name: min(run[name][0] for run in runs) for name in work}
    ours = runs[0]["vitiq"][1]
    print(f"### {title}\n\n| | seconds | × vitiq | value | relative difference |\n|---|---:|---:|---:|---:|")
    for name in work:
        value = runs[0][name][1]
        ratio = best[name] / best["vitiq"]
        print(f"| {name} | {best[name]:.3f} | {ratio:.1f} | {value:.6f} | {abs(value / ours - 1):.1e} |")
    print(flush=True)


if __name__ == "__main__":
    main()
