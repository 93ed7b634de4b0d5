"""A small study for the cluster tests, as a program: `plan OUT IMAGES`, `run OUT EXECUTOR JOBS` or `run … --kill`.

`--kill` ends a Dask worker with SIGKILL in the middle of its work.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

from vitiq.codecs.spec import parse_codecs
from vitiq.evaluation.engine import run_study
from vitiq.evaluation.executors import Workers
from vitiq.evaluation.metric_spec import MetricSpec
from vitiq.evaluation.plan import make_study, read_images, series_of
from vitiq.evaluation.progress import Step
from vitiq.evaluation.store import Store

METRICS = "psnr-rgb,ssim,vit-topk"
CODECS = "jpeg@10:90:10,webp@10:90:20"


def plan(out: Path, images: Path) -> None:
    """Write the study."""
    spec = MetricSpec(METRICS)
    with Workers("inline") as workers:
        found, problems = read_images([images], workers, out)
    assert not problems
    series = [series_of(codec) for codec in parse_codecs(CODECS)]
    Store(out).begin(make_study(found, series, spec.make(), spec))


def run(out: Path, kind: str, jobs: int, *, kill: bool) -> None:
    """Do what is missing."""
    store = Store(out)
    with Workers(kind, jobs) as workers:
        victims = [int(pid) for pid in workers._client.run(os.getpid).values()] if kill else []

        def report(step: Step) -> None:
            if victims and step.done >= 10:
                os.kill(victims.pop(), signal.SIGKILL)
                victims.clear()

        outcome = run_study(store.study(), store, workers, report)
    assert not kill or not victims
    print(f"{outcome.done} done, {outcome.kept} kept, {len(outcome.failed)} failed, stopped {outcome.stopped}")


if __name__ == "__main__":
    what, out, *rest = sys.argv[1:]
    if what == "plan":
        plan(Path(out), Path(rest[0]))
    else:
        run(Path(out), rest[0], int(rest[1]), kill="--kill" in rest)
