"""Run a plan: every task once, broken images told at the end, a killed run resumed by the same call."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from vitiq import registry
from vitiq.codecs.spec import make_codec
from vitiq.errors import InputError, VitiqError
from vitiq.evaluation.aggregate import ImageFiles
from vitiq.evaluation.plan import RunConfig, Task, plan
from vitiq.evaluation.store import load_record, save_record, write_json, write_tables
from vitiq.evaluation.task import Job, run_task
from vitiq.image.io import FoundImage, find_images, read_image_details, write_bytes, write_png
from vitiq.metrics.base import Metric, SetMetric
from vitiq.metrics.scoring import resolve_metrics, score_sets, signature_of, to_json
from vitiq.types import ImageU8, Progress, Record


@dataclass(frozen=True, slots=True)
class Step:
    """Where a run stands.

    Attributes:
        done, total: tasks done, and in all.
        label: what is being done.
        share: of the work that is done, 0 to 1; a search counts as many tasks, so that time left can be told from it.
        state: of a codec that optimises.
    """

    done: int
    total: int
    label: str
    share: float
    state: Progress | None = None


SEARCH_COST = 35
"""How many times as long as another task one with a search takes, roughly."""


@dataclass(frozen=True, slots=True)
class RunResult:
    """Records in the order of the plan, and one line for each thing that went wrong."""

    records: list[Record]
    problems: list[str]


def run(config: RunConfig, paths: Sequence[Path], out: Path, report: Callable[[Step], None] | None = None) -> RunResult:
    """The main job on images and folders; finished tasks found in `out` are not done again.

    Raises:
        InputError: no image can be read, or `out` cannot be written to.
        UnknownNameError: an unknown codec or metric.
    """
    found = find_images(paths)
    problems = list(found.problems)
    write_bytes(out / ".vitiq", b"vitiq run\n")
    images: list[tuple[FoundImage, str]] = []
    for image in found.images:
        try:
            read_image_details(image.path)
            images.append((image, hashlib.sha256(image.path.read_bytes()).hexdigest()))
        except InputError as error:
            problems.append(str(error))
    if not images:
        raise InputError("no image to run on: " + "; ".join(problems))
    backbone = None
    if config.weights is not None:
        from vitiq.models.backbones import load_backbone  # noqa: PLC0415 - torch

        backbone = load_backbone(weights=Path(config.weights))
    metrics = resolve_metrics(config.metrics, backbone)
    for codec in config.comparators:
        make_codec(codec, {})
    identity = _identity(config, metrics)
    tasks = plan(config, [(image.name, content) for image, content in images], identity)
    by_name = {image.name: image.path for image, _ in images}
    originals = {name: f"originals/{Path(name).with_suffix('').as_posix()}.png" for name in by_name}
    facts = {"config": asdict(config), "tasks": [task.hash for task in tasks], "originals": originals}
    # Written before the work, so that `vitiq report` can show what a stopped run has done.
    write_json(out / "run.json", {**facts, "problems": problems})
    not_made: list[str] = []
    records = _run_tasks(tasks, by_name, out, metrics, not_made, report)
    problems += not_made
    write_json(out / "run.json", {**facts, "problems": problems, "not_made": not_made})
    if not any(record.details["group"] == "main" for record in records):
        raise InputError(f"no image could be compressed with {config.codec}: " + "; ".join(problems))
    write_tables(out, records)
    if report is not None:
        report(Step(len(tasks), len(tasks), "scores of sets", 1.0))
    write_json(out / "sets.json", _score_sets(records, out, originals, metrics))
    return RunResult(records, problems)


def _identity(config: RunConfig, metrics: Sequence[Metric]) -> str:
    """Hash of everything outside the configuration that changes results: codec settings and metric signatures."""
    settings = make_codec(config.codec, config.options).identity()
    parts = [str(sorted(settings.items())), *(signature_of(metric) for metric in metrics)]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


def _run_tasks(  # noqa: PLR0917 - the state of a run
    tasks: Sequence[Task],
    paths: dict[str, Path],
    out: Path,
    metrics: Sequence[Metric],
    not_made: list[str],
    report: Callable[[Step], None] | None,
) -> list[Record]:
    records: list[Record] = []
    sizes: dict[str, int] = {}
    image: tuple[str, ImageU8, list[str]] | None = None
    costs = [SEARCH_COST if registry.load("codecs", task.codec).optimises else 1 for task in tasks]
    for done, task in enumerate(tasks):
        record = load_record(out, task.hash)
        if record is None or not (out / str(record.details["bitstream"])).exists():
            label = f"{task.image} {task.codec}"
            watch: Callable[[Progress], None] | None = None
            if report is not None:
                before = sum(costs[:done])
                report(Step(done, len(tasks), label, before / sum(costs)))

                def watch(
                    state: Progress, done: int = done, label: str = label, before: int = before, cost: int = costs[done]
                ) -> None:
                    share = (before + cost * state.iteration / state.total) / sum(costs)
                    report(Step(done, len(tasks), label, share, state))

            path = paths[task.image]
            if image is None or image[0] != task.image:
                pixels, notes = read_image_details(path)
                image = (task.image, pixels, notes)
                write_png(out / "originals" / Path(task.image).with_suffix(".png"), pixels)
            job = Job(task, image[1], path.stat().st_size, image[2], sizes.get(task.after or ""))
            try:
                record = run_task(job, out, metrics, watch)
            except VitiqError as error:
                told = f"{paths[task.image]}: {task.codec}: {error}"
                if told not in not_made:  # a ladder fails at every rung
                    not_made.append(told)
                continue
            save_record(out, task.hash, record)
        sizes[task.hash] = record.bytes
        records.append(record)
    return records


def _score_sets(
    records: Sequence[Record], out: Path, originals: dict[str, str], metrics: Sequence[Metric]
) -> dict[str, object]:
    """Set metrics a codec over all images, for the main codec and the comparators at equal bytes."""
    sets = [metric for metric in metrics if isinstance(metric, SetMetric)]
    result: dict[str, object] = {}
    compared = [r for r in records if r.details["group"] != "ladder"]
    for codec in dict.fromkeys(record.codec for record in compared):
        chosen = [record for record in compared if record.codec == codec]
        references = ImageFiles([out / originals[record.image] for record in chosen])
        distorted = ImageFiles([out / str(record.details["reconstruction"]) for record in chosen])
        scores = score_sets(references, distorted, sets)
        result[codec] = {key: to_json(score) for key, score in scores.items()}
    return result
