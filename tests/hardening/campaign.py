"""The long part: millions of damaged files through every reader, each in a process of bounded memory and time.

    python tests/hardening/campaign.py --files 10000000 --seed 1 --out hardening.json

A worker's death (a crash, the memory limit, ten seconds on one file) is a finding like any other, and so is a line on
standard error: the number of the
file stands in memory shared with the parent, which goes on behind it. `--replay TARGET:SEED:BATCH:FILE` writes that
file again.
"""

from __future__ import annotations

import argparse
import json
import logging
import mmap
import os
import random
import resource
import signal
import sys
import time
import warnings
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from places import folder
from targets import TARGETS, mutated, outcome, seeds_of

BATCH = 1000
MEMORY = 3 * 2**30
"""Bytes of address space beyond what a worker has when it starts."""
SECONDS = 10
"""Of processor time a file, so that a busy machine makes no findings."""


def prepare_worker() -> None:
    """Bounded memory and no noise; a finding must not be hidden by a warning filter either."""
    warnings.simplefilter("ignore")
    logging.disable(logging.CRITICAL)
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + MEMORY, used + MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    signal.signal(signal.SIGPROF, signal.SIG_DFL)  # ends the worker wherever it is, in C too
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    os.dup2(os.memfd_create("said"), 2)


def said() -> str:
    """What a library wrote to standard error by itself since the last call, which no user may see."""
    size = os.fstat(2).st_size
    if not size:
        return ""
    text = os.pread(2, min(size, 200), 0).decode("utf-8", "replace")
    os.ftruncate(2, 0)
    os.lseek(2, 0, os.SEEK_SET)
    return f"said on standard error: {text}"


def run_batch(name: str, seed: int, batch: int, start: int, shared: mmap.mmap) -> Iterator[dict[str, object]]:
    """The files of a batch from number `start` on: each finding as it is made, the counts at the end."""
    target, seeds = TARGETS[name], seeds_of(name)
    rng = random.Random(f"{name}:{seed}:{batch}")
    counts: Counter[str] = Counter()
    for number in range(BATCH):
        data = mutated(seeds, target.ways, rng)
        if number < start:
            continue
        shared[:8] = number.to_bytes(8, "big")
        signal.setitimer(signal.ITIMER_PROF, SECONDS)
        signal.alarm(30 * SECONDS)  # for a worker that waits for ever
        result = outcome(target, data)
        signal.alarm(0)
        signal.setitimer(signal.ITIMER_PROF, 0)
        result = said() or result
        fine = result in {"read", "refused"}
        counts[result if fine else "finding"] += 1
        if not fine:
            yield {"file": f"{name}:{seed}:{batch}:{number}", "said": result}
    yield {"batch": batch, "counts": dict(counts)}


def work(name: str, seed: int, batches: range, start: int, out: int, shared: mmap.mmap) -> None:
    """In the child: batch after batch; a line of JSON a finding and a batch on the pipe."""
    prepare_worker()
    for whole in seeds_of(name):
        outcome(TARGETS[name], whole)  # imports and caches are no file's ten seconds
    said()
    for batch in batches:
        shared[8:16] = batch.to_bytes(8, "big")
        for line in run_batch(name, seed, batch, start if batch == batches.start else 0, shared):
            os.write(out, (json.dumps(line) + "\n").encode())


def start_worker(name: str, seed: int, batches: range, start: int, shared: mmap.mmap) -> tuple[int, int]:
    """Process id of a new worker, and the reading end of its pipe."""
    reader, writer = os.pipe()
    child = os.fork()
    if child:
        os.close(writer)
        return child, reader
    code = 1
    try:
        os.close(reader)
        work(name, seed, batches, start, writer, shared)
        code = 0
    finally:
        os._exit(code)


def run_target(name: str, seed: int, files: int) -> dict[str, object]:
    """All files of a target; starts a new worker behind a file that killed one."""
    began, cpu = time.monotonic(), resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
    counts: Counter[str] = Counter()
    findings: list[dict[str, object]] = []
    batches = -(-files // BATCH)
    batch, start = 0, 0
    shared = mmap.mmap(-1, 16)
    seeds_of(name)  # made here, shared with every worker
    while batch < batches:
        child, pipe = start_worker(name, seed, range(batch, batches), start, shared)
        with os.fdopen(pipe) as lines:
            for line in map(json.loads, lines):
                if "batch" in line:
                    counts.update(line["counts"])
                    batch, start = line["batch"] + 1, 0
                else:
                    findings.append(line)
        _, status = os.waitpid(child, 0)
        if status:
            number = int.from_bytes(shared[:8], "big")
            findings.append({"file": f"{name}:{seed}:{batch}:{number}", "said": f"the process died (status {status})"})
            counts["finding"] += 1
            counts["before a worker's death"] += number - start
            batch, start = (batch, number + 1) if number + 1 < BATCH else (batch + 1, 0)
    return {
        "files": sum(counts.values()),
        "counts": dict(counts),
        "findings": findings,
        "seconds": time.monotonic() - began,
        "cpu_seconds": resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - cpu,
    }


def replay(spec: str) -> bytes:
    """The bytes of one file of a campaign."""
    name, seed, batch, number = spec.rsplit(":", 3)
    target, rng = TARGETS[name], random.Random(f"{name}:{seed}:{batch}")
    seeds = seeds_of(name)
    data = b""
    for _ in range(int(number) + 1):
        data = mutated(seeds, target.ways, rng)
    return data


def main() -> None:
    """Run a campaign, or write one of its files to standard output."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=100_000, help="damaged files in all, over the targets")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--targets", default=",".join(TARGETS))
    parser.add_argument("--out", type=Path, help="JSON of counts and findings, added to where it exists")
    parser.add_argument("--replay", help="TARGET:SEED:BATCH:FILE, written to standard output")
    options = parser.parse_args()
    if options.replay:
        sys.stdout.buffer.write(replay(options.replay))
        return
    results = json.loads(options.out.read_text()) if options.out and options.out.exists() else {}
    names = options.targets.split(",")
    whole = sum(TARGETS[name].files for name in names)
    folder()  # made here, so that it goes with this process and not with a worker that is killed
    for name in names:
        files = max(BATCH, round(options.files * TARGETS[name].files / whole / BATCH) * BATCH)
        result = run_target(name, options.seed, files)
        results[f"{name}:{options.seed}"] = result
        print(f"{name:22} {result['files']:>9,} files {result['seconds']:7.1f} s  {result['counts']}", flush=True)
        for finding in result["findings"][:5]:  # type: ignore[index]
            print("   ", finding["file"], finding["said"], flush=True)
        if options.out:
            options.out.write_text(json.dumps(results, indent=1))
    sys.exit(any(result["findings"] for result in results.values()))


if __name__ == "__main__":
    main()
