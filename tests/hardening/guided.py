"""The coverage-guided part: readers written in Python, whose branches atheris (libFuzzer) sees and steers by.

    python tests/hardening/guided.py --runs 100000 --seed 1 --out guided.json

Each reader runs in a process of its own, with the structure-aware mutators as half of the mutations. What is neither
read nor refused is a finding, as in `campaign.py`; its bytes are kept in the folder beside --out.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import json
import logging
import os
import random
import re
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

READERS = (
    "viq",
    "png",
    "jpeg",
    "tiff",
    "avif",
    "netpbm",
    "icc",
    "npz",
    "safetensors",
    "study-file",
    "study-json",
    "training-toml",
    "anchors",
    "csv",
    "codec-spec",
)
"""Targets whose own code is Python."""
LARGEST = 8192
"""Bytes of a file at most."""
SECONDS = 10
MEMORY = 4096
"""MiB of a process."""


def fuzz(name: str, runs: int, seed: int, folder: Path) -> None:
    """In the child: hands the process to libFuzzer, which ends it."""
    os.environ["VITIQ_HARDENING_FOLDER"] = str(folder)
    import atheris

    warnings.simplefilter("ignore")
    logging.disable(logging.CRITICAL)
    with atheris.instrument_imports(include=["vitiq"], enable_loader_override=False):
        from targets import TARGETS, mutated, outcome, seeds_of

        target, seeds = TARGETS[name], seeds_of(name)
        for whole in seeds:  # imports what the reader needs while it can still be instrumented
            outcome(target, whole)
    corpus = folder / "corpus"
    corpus.mkdir()
    for number, whole in enumerate(seeds):
        (corpus / f"seed-{number}").write_bytes(whole)
    seen: set[str] = set()

    def one(data: bytes) -> None:
        said = outcome(target, data)
        kind = re.sub(r"\d+", "0", said)
        if said not in {"read", "refused"} and kind not in seen:
            seen.add(kind)
            path = folder / f"finding-{len(seen)}"
            path.write_bytes(data)
            with (folder / "findings").open("a") as file:
                file.write(json.dumps({"file": path.name, "said": said}) + "\n")

    def mutate(data: bytes, largest: int, number: int) -> bytes:
        rng = random.Random(number)
        if rng.random() < 0.5:
            return bytes(atheris.Mutate(data, largest))
        with contextlib.suppress(Exception):
            return mutated([data], target.ways, rng)[:largest]
        return data

    options = {"runs": runs, "seed": seed, "max_len": LARGEST, "timeout": SECONDS, "rss_limit_mb": MEMORY}
    arguments = [f"-{key}={value}" for key, value in options.items()]
    prefix = f"-artifact_prefix={folder}/"
    atheris.Setup([name, *arguments, prefix, "-print_final_stats=1", str(corpus)], one, custom_mutator=mutate)
    atheris.Fuzz()


def run_reader(name: str, runs: int, seed: int, kept: Path) -> dict[str, Any]:
    """One reader to its end: files tried, branches seen, findings."""
    with tempfile.TemporaryDirectory(prefix="vitiq-guided-") as place:
        folder = Path(place)
        began = time.monotonic()
        command = [sys.executable, __file__, "--child", name, "--runs", str(runs), "--seed", str(seed)]
        done = subprocess.run(
            [*command, "--folder", place], capture_output=True, check=False, text=True, errors="replace"
        )
        seconds = time.monotonic() - began
        listed = folder / "findings"
        findings = [json.loads(line) for line in listed.read_text().splitlines()] if listed.exists() else []
        if done.returncode:
            last = [line for line in done.stderr.splitlines() if line.strip()][-8:]
            findings.append({"file": "", "said": f"the process ended with {done.returncode}: {' | '.join(last)}"})
        for path in [*folder.glob("finding-*"), *folder.glob("crash-*"), *folder.glob("timeout-*")]:
            kept.mkdir(parents=True, exist_ok=True)
            (kept / f"{name}-{path.name}").write_bytes(path.read_bytes())
        tried = re.search(r"number_of_executed_units: (\d+)", done.stderr)
        grown = re.findall(r"\bcov: (\d+) ft: \d+ corp: (\d+)", done.stderr)
    return {
        "files": int(tried.group(1)) if tried else 0,
        "branches_at_first": int(grown[0][0]) if grown else 0,
        "branches": int(grown[-1][0]) if grown else 0,
        "corpus": int(grown[-1][1]) if grown else 0,
        "seconds": seconds,
        "findings": findings,
    }


def main() -> None:
    """Run every reader, or be the child of one."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=100_000, help="files for each reader")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--readers", default=",".join(READERS))
    parser.add_argument("--out", type=Path, default=Path("guided.json"))
    parser.add_argument("--child", help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        fuzz(options.child, options.runs, options.seed, options.folder)
        return
    if importlib.util.find_spec("atheris") is None:
        print("coverage guidance left out: atheris is not installed (pip install 'vitiq[hardening]', Linux only)")
        return
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    results = {}
    for name in options.readers.split(","):
        found = results[name] = run_reader(name, options.runs, options.seed, options.out.parent / "guided-findings")
        print(
            f"{name:15} {found['files']:>9,} files {found['seconds']:7.1f} s  branches {found['branches_at_first']} → "
            f"{found['branches']}, corpus {found['corpus']}, {len(found['findings'])} findings",
            flush=True,
        )
        for finding in found["findings"][:5]:
            print("   ", finding["file"], finding["said"], flush=True)
        options.out.write_text(json.dumps(results, indent=1))
    sys.exit(any(found["findings"] for found in results.values()))


if __name__ == "__main__":
    main()
