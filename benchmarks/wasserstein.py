"""Wasserstein Distortion beside its authors' PyTorch program: values, time, and the golden values of the tests.

    python benchmarks/wasserstein.py CHECKOUT [--golden tests/golden/data/wasserstein.json]

CHECKOUT is github.com/balle-lab/wasserstein-distortion; torchvision is needed for it. VGG-16 has random weights of a
fixed seed (`inputs.write_random_weights`), which suffices to compare programs. CPU seconds on one thread, the smaller
of two.
"""

from __future__ import annotations

import argparse
import json
import math
import subprocess
import sys
import tempfile
import time
import typing
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import torch
from inputs import small_pairs, write_random_weights
from metric_peers import Peer, Program, _module, _tensor, prepare

from vitiq.image.io import read_image
from vitiq.metrics.perceptual.wasserstein import SIGMA, Wasserstein
from vitiq.types import ImageU8

IMAGES = Path(__file__).parents[1] / "examples" / "images"
SOURCE = "github.com/balle-lab/wasserstein-distortion"
SIGMAS = (1.0, 4.0, 16.0, 32.0)


def reference_program(checkout: Path, trunk: dict[str, torch.Tensor]) -> Any:
    """The authors' module with VGG-16 of these weights."""
    prepare()
    if not hasattr(typing, "override"):  # of Python 3.12, which the program asks for
        setattr(typing, "override", lambda function: function)  # noqa: B010 - no such name for the type checker
    sys.path.insert(0, str(checkout))
    models = _module("torchvision.models")
    plain = models.vgg16
    package = _module("wasserstein_distortion.wasserstein_distortion")
    with mock.patch.object(package.tv, "vgg16", side_effect=lambda **_: _filled(plain(weights=None), trunk)):
        return package.VGG16WassersteinDistortion()


def _filled(network: torch.nn.Module, trunk: dict[str, torch.Tensor]) -> torch.nn.Module:
    network.load_state_dict(trunk, strict=False)
    return network


def peers(checkout: Path, weights: Path) -> list[Peer]:
    """The authors' program as a peer, for the default σ.

    Args:
        weights: folder of `write_random_weights`.
    """
    program = reference_program(checkout, Wasserstein(weights).states[1])

    def run(a: ImageU8, b: ImageU8) -> float:
        where = torch.full((1, 1, *a.shape[:2]), math.log2(SIGMA))
        return float(program(*(_tensor(image) / 255 for image in (b, a)), where))

    return [Program("wasserstein", SOURCE, "VGG16WassersteinDistortion", run, 1e-4)]


def main() -> None:
    """Print values and times side by side, or write golden values."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkout", type=Path)
    parser.add_argument("--golden", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(1)
    torch.set_grad_enabled(False)
    with tempfile.TemporaryDirectory() as name:
        write_random_weights(Path(name))
        metrics = {sigma: Wasserstein(name, sigma) for sigma in SIGMAS}
        trunk, *_ = [metric.states[1] for metric in metrics.values()]  # all are read while the files are there
        program = reference_program(options.checkout, trunk)
    values: dict[str, dict[str, float]] = {}
    for name, (a, b) in small_pairs({p.stem: read_image(p) for p in IMAGES.glob("*.png")}).items():
        x, y = (_tensor(image) / 255 for image in (a, b))
        for sigma, metric in metrics.items():
            where = torch.full((1, 1, *a.shape[:2]), math.log2(sigma))
            value, ours, theirs, own = _timed(program, metric, (a, b), (y, x, where))
            values.setdefault(name, {})[f"{sigma:g}"] = round(value, 9)
            print(f"{name}, σ {sigma:g}: {value:.6f}, ours {own - value:+.1e}; {ours:.2f} s, {theirs / ours:.1f} times")
    if options.golden:
        commit = subprocess.run(
            ["git", "-C", options.checkout, "rev-parse", "HEAD"], capture_output=True, text=True, check=True
        )
        golden = {
            "command": "python benchmarks/wasserstein.py CHECKOUT --golden tests/golden/data/wasserstein.json",
            "source": f"{SOURCE}, commit {commit.stdout.strip()}",
            "call": "VGG16WassersteinDistortion()(distorted, reference, log2 sigma everywhere), random VGG-16, float32",
            "versions": {"torch": torch.__version__, "numpy": np.__version__},
            "values": values,
        }
        options.golden.write_text(json.dumps(golden, indent=1) + "\n", encoding="utf-8")


def _timed(program: Any, metric: Wasserstein, pair: tuple[ImageU8, ImageU8], tensors: Any) -> tuple[float, ...]:
    """Their value, our seconds, theirs, our value."""
    ours = theirs = math.inf
    value = own = math.nan
    for _ in range(2):
        start = time.process_time()
        own = metric(*pair).value
        ours, start = min(ours, time.process_time() - start), time.process_time()
        value = float(program(*tensors))
        theirs = min(theirs, time.process_time() - start)
    return value, ours, theirs, own


if __name__ == "__main__":
    main()
