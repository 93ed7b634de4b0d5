"""The golden values of the metrics that codec people quote, as their reference programs give them.

    python benchmarks/codec_metrics.py --ssimulacra2 PATH --double PATH --golden tests/golden/data/codec-metrics.json

What it needs is said in `codec_peers.py`; a metric whose program is not here keeps its values. `metrics.py` compares
values, speed and memory.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import math
import platform
import subprocess
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from codec_peers import codec_peers
from inputs import codec_pairs
from metric_peers import Call, Peer

from vitiq.errors import VitiqError
from vitiq.image.io import read_image
from vitiq.types import ImageU8

IMAGES = Path(__file__).parents[1] / "examples" / "images"


def value(call: Call, pair: tuple[ImageU8, ImageU8]) -> float | None:
    """A value, None where there is none: NaN, an error, an image that is too small."""
    try:
        found = call(*pair)
    except (VitiqError, AssertionError, ValueError, RuntimeError, IndexError, subprocess.CalledProcessError):
        return None
    return found if math.isfinite(found) else None


def golden(path: Path, peers: Sequence[Peer]) -> None:
    """Write the programs' values with their source and tolerance, for the tests."""
    pairs = codec_pairs({file.stem: read_image(file) for file in sorted(IMAGES.glob("*.png"))})
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
    values = {
        "command": f"{command} tests/golden/data/{path.name}",
        "versions": {"python": platform.python_version(), "numpy": np.__version__, "torch": torch.__version__},
        "images": {name: hashlib.sha256(b.tobytes()).hexdigest() for name, (_, b) in pairs.items()},
        "entries": sorted(entries, key=lambda entry: str(entry["metric"])),
    }
    path.write_text(json.dumps(values, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def main() -> None:
    """Write them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ssimulacra2", help="The C++ program.")
    parser.add_argument("--double", help="The C++ program with ssimulacra2_double.patch.")
    parser.add_argument("--golden", type=Path, required=True)
    parser.add_argument("--only", help="Metrics, with commas.")
    options = parser.parse_args()
    torch.set_num_threads(1)
    torch.set_grad_enabled(False)
    peers = codec_peers(options.ssimulacra2, options.double)
    if options.only:
        peers = [p for p in peers if p.metric.partition("@")[0] in options.only.split(",")]
    golden(options.golden, peers)


if __name__ == "__main__":
    main()
