"""`vitiq bench submit` and `vitiq bench worker`: a study shared by the array tasks of a SLURM job."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from vitiq.cli import options as common
from vitiq.cli.common import print_json
from vitiq.cli.options import PathName

if TYPE_CHECKING:
    from vitiq.evaluation.slurm import SlurmJob
    from vitiq.evaluation.study import Study

F = TypeVar("F", bound=Callable[..., Any])

JOB_OPTIONS = (
    click.option("--name", default="vitiq", show_default=True, help="Job name."),
    click.option("--partition", help="Partition to run in."),
    click.option("--account", help="Account to charge."),
    click.option("--time", "walltime", help="Time limit of an array task: minutes, h:mm:ss or d-hh:mm:ss."),
    click.option("--nodes", type=click.IntRange(min=1), default=1, show_default=True, help="Nodes per array task."),
    click.option(
        "--ntasks", type=click.IntRange(min=1), default=1, show_default=True, help="SLURM tasks per array task."
    ),
    click.option("--cpus", type=click.IntRange(min=1), default=1, show_default=True, help="Cores per array task."),
    click.option("--mem", help="Memory per array task, such as 8G."),
    click.option("--at-once", type=click.IntRange(min=1), help="Maximum number of array tasks running at a time."),
    click.option("--module", "modules", multiple=True, help="Environment module to load; may be repeated."),
    click.option("--setup", multiple=True, help="Shell command to run before the work; may be repeated."),
    click.option("--directive", "directives", multiple=True, help="Additional #SBATCH option; may be repeated."),
)


def job_options(function: F) -> F:
    """Adds what a site wants to know of a job."""
    for option in reversed(JOB_OPTIONS):
        function = option(function)
    return function


def job_of(options: dict[str, Any], shards: int) -> SlurmJob:
    """The job that the options describe.

    Raises:
        InputError: options that sbatch would not take.
    """
    from vitiq.evaluation.slurm import SlurmJob  # noqa: PLC0415

    values = dict(options)
    return SlurmJob(shards=shards, time=values.pop("walltime"), **values)


@click.command("submit")
@click.argument("out", type=PathName(path_type=Path, exists=True, file_okay=False))
@click.option("--slurm", is_flag=True, required=True, help="Submit with SLURM's sbatch.")
@click.option("--shards", type=click.IntRange(min=1), default=8, show_default=True, help="Number of array tasks.")
@job_options
@click.option("--print", "print_only", is_flag=True, help="Print the batch script without submitting it.")
@common.as_json
def submit(out: Path, slurm: bool, shards: int, print_only: bool, as_json: bool, **options: Any) -> None:  # noqa: ARG001
    """Submit the study in OUT as a SLURM job array.

    OUT was written by `vitiq bench … --plan -o OUT`, or is a study that was stopped. The batch script is kept in
    OUT/slurm/.
    """
    from vitiq.evaluation import slurm as work  # noqa: PLC0415
    from vitiq.evaluation.store import Store  # noqa: PLC0415
    from vitiq.files import write_text  # noqa: PLC0415

    study = Store(out).study()
    job = job_of(options, shards)
    text = work.batch_script(out, job, ("--study", study.name))
    if print_only:
        click.echo(text, nl=False)
        return
    script = out / "slurm" / f"{study.name}.sh"
    write_text(script, text)
    number = work.submit(script)
    if as_json:
        print_json({"job": number, "script": str(script), "study": study.name, "shards": shards})
    else:
        click.echo(
            f"job {number}: {len(study)} tasks in {shards} shares; see `squeue -j {number}` and "
            f"`vitiq bench ls {shlex.quote(str(out))}`"
        )


@click.command("worker")
@click.argument("out", type=PathName(path_type=Path, exists=True, file_okay=False))
@click.option("--shard", default="1/1", show_default=True, help="Shard to work on: i/n, i from 1 to n.")
@common.study
@click.option("-j", "--jobs", type=click.IntRange(min=1), default=1, show_default=True, help="Worker processes.")
@click.option(
    "--stop-after",
    type=common.NumberRange(min=0),
    metavar="SECONDS",
    help="Stop between two tasks after this time, at the latest a minute later.",
)
@click.option("--requeue", is_flag=True, help="Requeue the SLURM job if it is stopped with work left.")
@click.option("--max-failures", type=click.IntRange(min=0), help="Stop after more failed tasks than this.")
def worker(  # noqa: PLR0917
    out: Path,
    shard: str,
    study: str | None,
    jobs: int,
    stop_after: float | None,
    requeue: bool,
    max_failures: int | None,
) -> None:
    """Work on one shard of the study in OUT.

    A task's shard depends only on its key. SIGTERM and SIGUSR1 stop the worker between two tasks, or in a task that
    goes on for a minute more; finished work is kept, and the same command resumes. It also stops before the time limit
    that SLURM reports. Exit code 3 means that work is left. The shard that ends the study writes OUT/records.csv.
    """
    from vitiq.evaluation import slurm as work  # noqa: PLC0415
    from vitiq.evaluation.engine import run_study  # noqa: PLC0415
    from vitiq.evaluation.executors import Workers  # noqa: PLC0415
    from vitiq.evaluation.presets import write_as_last  # noqa: PLC0415
    from vitiq.evaluation.store import Store  # noqa: PLC0415

    share = work.shard_of(shard)
    store = Store(out)
    asked = store.study(study)
    until = work.deadline(seconds=stop_after)
    with Workers("processes" if jobs > 1 else "inline", jobs) as workers:
        outcome = run_study(asked, store, workers, shard=share, max_failures=max_failures, deadline=until)
    failed = f", {len(outcome.failed)} failed" if outcome.failed else ""
    done = outcome.done - len(outcome.failed)
    click.echo(f"shard {shard}: {done} tasks done{failed}, {outcome.kept} already done before")
    for line in failures(asked, outcome.failed):
        click.echo(f"vitiq: {line}", err=True)
    if outcome.stopped is not None:
        # A job that did nothing would be requeued for ever.
        again = requeue and done > 0 and outcome.stopped in ("deadline", "SIGUSR1") and work.requeue()
        left = "; it is back in the queue" if again else "; the same command does the rest"
        click.echo(f"vitiq: stopped ({outcome.stopped}) with work left{left}", err=True)
        sys.exit(3)
    stands = store.standing(asked)
    if stands.done + stands.failed == stands.tasks:  # by this shard, the last one
        write_as_last(asked, store)
    if outcome.failed:
        sys.exit(1)


def failures(study: Study, failed: Mapping[str, str]) -> list[str]:
    """A line for each task that failed: its image, codec and rate, and why.

    Args:
        failed: key of the task -> why.
    """
    if not failed:
        return []
    tasks = (task for task in study.tasks() if task.key in failed)
    lines = (
        f"{study.images[task.image].name}, {study.series[task.series].label}, {task.kind} {task.value:g}: "
        f"{failed[task.key]}"
        for task in tasks
    )
    return list(dict.fromkeys(lines))
