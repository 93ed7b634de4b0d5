"""`vitiq bench submit` and `vitiq bench worker`: a study shared by the array tasks of a SLURM job."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from vitiq.cli import options as common
from vitiq.cli.common import print_json
from vitiq.cli.options import PathName

if TYPE_CHECKING:
    from vitiq.evaluation.slurm import SlurmJob

F = TypeVar("F", bound=Callable[..., Any])

JOB_OPTIONS = (
    click.option("--name", default="vitiq", show_default=True, help="Name of the job."),
    click.option("--partition", help="Where it runs."),
    click.option("--account", help="Who pays."),
    click.option("--time", "walltime", help="Walltime of an array task: minutes, h:mm:ss or d-hh:mm:ss."),
    click.option("--nodes", type=click.IntRange(min=1), default=1, show_default=True, help="Nodes of an array task."),
    click.option("--ntasks", type=click.IntRange(min=1), default=1, show_default=True, help="Tasks of an array task."),
    click.option("--cpus", type=click.IntRange(min=1), default=1, show_default=True, help="Cores of an array task."),
    click.option("--mem", help="Memory of an array task, such as 8G."),
    click.option("--at-once", type=click.IntRange(min=1), help="Array tasks that run at one time."),
    click.option("--module", "modules", multiple=True, help="Module to load; may be repeated."),
    click.option("--setup", multiple=True, help="Line of shell before work starts; may be repeated."),
    click.option("--directive", "directives", multiple=True, help="Further #SBATCH option; may be repeated."),
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
@click.option("--slurm", is_flag=True, required=True, help="Through SLURM's sbatch.")
@click.option("--shards", type=click.IntRange(min=1), default=8, show_default=True, help="Array tasks.")
@job_options
@click.option("--print", "print_only", is_flag=True, help="Print the batch script; submit nothing.")
@common.as_json
def submit(out: Path, slurm: bool, shards: int, print_only: bool, as_json: bool, **options: Any) -> None:  # noqa: ARG001
    """Share the study in OUT among the array tasks of a SLURM job.

    OUT is what `vitiq bench … --plan -o OUT` wrote, or a study that was begun. The script is kept in OUT/slurm/.
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
@click.option("--shard", default="1/1", show_default=True, help="Which share of how many: i/n, i from 1 to n.")
@common.study
@click.option("-j", "--jobs", type=click.IntRange(min=1), default=1, show_default=True, help="Processes.")
@click.option("--stop-after", type=click.FloatRange(min=0), metavar="SECONDS", help="End between two tasks by then.")
@click.option("--requeue", is_flag=True, help="Stopped before its end, a SLURM job goes back into the queue.")
@click.option("--max-failures", type=click.IntRange(min=0), help="More failed tasks than this end the share.")
def worker(  # noqa: PLR0917
    out: Path,
    shard: str,
    study: str | None,
    jobs: int,
    stop_after: float | None,
    requeue: bool,
    max_failures: int | None,
) -> None:
    """Do one share of the study in OUT.

    Which share a task is in depends on its key alone. SIGTERM and SIGUSR1 end it between two tasks; what is done is
    kept, and the same command does the rest. It ends by itself before the walltime that SLURM reports. Exit code 3 says
    that work is left.
    """
    from vitiq.evaluation import slurm as work  # noqa: PLC0415
    from vitiq.evaluation.engine import run_study  # noqa: PLC0415
    from vitiq.evaluation.executors import Workers  # noqa: PLC0415
    from vitiq.evaluation.store import Store  # noqa: PLC0415

    share = work.shard_of(shard)
    store = Store(out)
    asked = store.study(study)
    until = work.deadline(seconds=stop_after)
    with Workers("processes" if jobs > 1 else "inline", jobs) as workers:
        outcome = run_study(asked, store, workers, shard=share, max_failures=max_failures, deadline=until)
    failed = f", {len(outcome.failed)} failed" if outcome.failed else ""
    click.echo(f"share {shard}: {outcome.done} tasks done{failed}, {outcome.kept} were there already")
    for error in dict.fromkeys(outcome.failed.values()):
        click.echo(f"vitiq: {error}", err=True)
    if outcome.stopped is not None:
        # A job that did nothing would be requeued for ever.
        again = requeue and outcome.done > 0 and outcome.stopped in ("deadline", "SIGUSR1") and work.requeue()
        left = "; it is back in the queue" if again else "; the same command does the rest"
        click.echo(f"vitiq: stopped ({outcome.stopped}) with work left{left}", err=True)
        sys.exit(3)
    if outcome.failed:
        sys.exit(1)
