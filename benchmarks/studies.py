"""What the engine of studies costs: `python benchmarks/studies.py [--images 24]`.

- the same study inline and in processes: seconds of each and their ratio, in one run, alternating; and beside them how
  much of the cores' time other programs took meanwhile (Linux): above some hundredths the ratio says nothing, since
  inline leaves them a core and processes do not;
- the store: milliseconds a task beside encoding, decoding and scoring;
- a study of a million tasks: seconds and memory of its plan;
- `vitiq validate` on 23,000 images with made-up scores of two metrics: seconds and memory behind the scores.
"""

from __future__ import annotations

import argparse
import os
import resource
import tempfile
import time
from pathlib import Path

import numpy as np

from vitiq.codecs.rate_target import encode_within
from vitiq.codecs.spec import parse_codecs
from vitiq.datasets.opinion import Opinion, OpinionSet
from vitiq.evaluation.engine import run_study
from vitiq.evaluation.executors import Workers
from vitiq.evaluation.metric_spec import MetricSpec
from vitiq.evaluation.plan import Faults, check_metrics, make_study, read_images, series_of
from vitiq.evaluation.store import Store
from vitiq.evaluation.study import Series, Study, StudyImage
from vitiq.evaluation.validate import validate
from vitiq.evaluation.worker import codec_of, metrics_of, spec_of
from vitiq.image.io import read_image, write_png
from vitiq.metrics.scoring import score_pair
from vitiq.types import Quality
from vitiq.workers import cores

BUNDLED = Path(__file__).parents[1] / "examples" / "images"


def study_of(folder: Path, codecs: str, metrics: str, keep: tuple[str, ...]) -> Study:
    spec = MetricSpec(metrics)
    with Workers("inline") as workers:
        images, _ = read_images([folder], workers)
    return make_study(images, map(series_of, parse_codecs(codecs)), check_metrics(spec, Faults()), spec, keep=keep)


def processor(workers: Workers) -> float:
    """Seconds of processor time that this process and its workers have used (Linux)."""
    pool = workers._processes
    pids = list((pool.executor._processes or {}) if pool is not None else ())
    ticks = [Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[11:13] for pid in pids]
    return time.process_time() + sum(int(tick) for pair in ticks for tick in pair) / os.sysconf("SC_CLK_TCK")


def machine() -> float:
    """Seconds that all cores together have been busy, or taken by other machines of the same host (Linux)."""
    user, nice, system, _, _, irq, soft, steal = map(int, Path("/proc/stat").read_text().split("\n")[0].split()[1:9])
    return (user + nice + system + irq + soft + steal) / os.sysconf("SC_CLK_TCK")


def seconds(study: Study, kind: str) -> tuple[float, float, float]:
    """Wall and processor time of a study in an empty folder, with workers that have started and imported; and the
    processor time of other programs meanwhile.
    """
    from studies import warm as prepared  # a worker finds this file's functions by its name, not as the main program's

    with tempfile.TemporaryDirectory() as out, Workers(kind) as workers:
        for future in [workers.submit(prepared, study, 1.0) for _ in range(workers.count)]:
            future.result()
        store = Store(Path(out))
        store.begin(study)
        start, busy, all_busy = time.perf_counter(), processor(workers), machine()
        run_study(study, store, workers)
        own = processor(workers) - busy
        return time.perf_counter() - start, own, max(0.0, machine() - all_busy - own)


def warm(study: Study, least: float) -> None:
    """Have codecs and metrics ready, and take so long that every worker gets one of these."""
    end = time.monotonic() + least
    image = np.zeros((96, 96, 3), np.uint8)
    for series in study.series:
        codec = codec_of(series.spec)
        codec.decode(codec.encode(image, Quality(codec.default_quality)))
    score_pair(image, image, metrics_of(spec_of(study, list(study.signatures))))
    time.sleep(max(0.0, end - time.monotonic()))


def ratio(count: int) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        images = [read_image(path) for path in sorted(BUNDLED.glob("*.png"))]
        for i in range(count):
            write_png(folder / f"{i}.png", np.ascontiguousarray(np.roll(images[i % 4], 16 * i, 1)))
        study = study_of(folder, "webp@10:90:20,jpeg2000@bpp=0.25,0.5,1", "psnr-rgb,ms-ssim", ("bitstreams",))
        found = [(seconds(study, "inline"), seconds(study, "processes")) for _ in range(2)]
    (inline, own, _), (processes, all_own, others) = (min(pair[i] for pair in found) for i in (0, 1))
    print(
        f"{len(study)} tasks on {cores()} cores: inline {inline:.1f} s, processes {processes:.1f} s, "
        f"ratio {inline / processes:.2f}; processor time {own:.1f} s and {all_own:.1f} s; "
        f"other programs had {others / cores() / processes:.0%} of the cores meanwhile"
    )


def overhead(count: int = 400) -> None:
    """Wall time of a study minus what its tasks took, and beside it what writing the files took."""
    rng = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for i in range(count // 40):
            write_png(folder / f"{i}.png", rng.integers(0, 256, (64, 64, 3), dtype=np.uint8))
        for keep in ((), ("bitstreams",), ("bitstreams", "images")):
            study = study_of(folder, "jpeg@10:88:2", "mse", keep)
            start = time.process_time()
            plain = sum(_alone(study))
            between = time.process_time() - start
            whole, all_busy, _ = seconds(study, "inline")
            busy = all_busy - between
            kept, count = ",".join(keep) or "none", len(study)
            wall = 1000 * (whole - plain) / count
            print(
                f"store, --keep {kept}: {wall:.2f} ms a task of {count}, {1000 * busy / count:.2f} ms of them at work"
            )


def _alone(study: Study) -> list[float]:
    """Seconds of each task's encode, decode and score, without any store."""
    metrics = metrics_of(spec_of(study, list(study.signatures)))
    found = []
    for task in study.tasks():
        image = read_image(Path(study.images[task.image].path))
        codec = codec_of(study.series[task.series].spec)
        start = time.perf_counter()
        score_pair(image, codec.decode(encode_within(codec, image, Quality(task.value)).data), metrics)
        found.append(time.perf_counter() - start)
    return found


def million() -> None:
    start = time.perf_counter()
    images = tuple(StudyImage(f"{i}.png", f"/in/{i}.png", f"{i:064x}", 512, 512, 1) for i in range(10_000))
    rates = tuple(("quality", float(q)) for q in range(10))
    series = tuple(Series(f"c{i}", "{}", f"c{i}", f"c{i}", ".x", rates=rates) for i in range(10))  # type: ignore[arg-type]
    study = Study(images, series, ("mse",), {"mse": "mse"})
    with tempfile.TemporaryDirectory() as out:
        Store(Path(out)).begin(study)
        count = sum(1 for _ in study.tasks())
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"plan of {count} tasks: {time.perf_counter() - start:.1f} s, peak memory {peak:.0f} MB")


def validation(count: int = 23_000, references: int = 250) -> None:
    """As many images as PIPAL has (23,200 of 200 references), with 1000 resamples."""
    rng = np.random.default_rng(0)
    quality = rng.uniform(0, 9, count)
    rows = zip(rng.integers(0, references, count), quality, strict=True)
    opinions = [Opinion(Path(f"r{own}.png"), Path(f"{i}.png"), "", float(mean)) for i, (own, mean) in enumerate(rows)]
    values = {f"published:{name}": quality + rng.normal(0, noise, count) for name, noise in (("a", 2), ("b", 3))}
    start = time.perf_counter()
    validate(OpinionSet("made-up", tuple(opinions)), values, ())
    peak = max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)) / 1024
    print(f"validate on {count} images: {time.perf_counter() - start:.1f} s, peak memory of a process {peak:.0f} MB")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=24, help="images of the comparison of executors")
    arguments = parser.parse_args()
    million()
    validation()
    overhead()
    ratio(arguments.images)
