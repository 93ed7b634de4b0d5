"""Studies on a cluster that SLURM runs: a batch script whose array tasks share a study, and workers of a Dask cluster.

Every array task runs `vitiq bench worker OUT --shard i/n`, which does the tasks whose keys fall to it and writes parts
of its own; nothing is shared but the folder. A task may be preempted, requeued or cancelled at any moment: what it has
done is kept, and the next run does the rest. Weights are part of the package, so that compute nodes need no network.

sbatch, signals and environment variables: SLURM 22.05, sbatch(1), scontrol(1).
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from vitiq.errors import InputError, MissingDependencyError, TaskError
from vitiq.programs import run_program

WARNING_SECONDS = 120
"""Before the walltime's end: when SLURM sends SIGUSR1, and when a worker stops by itself."""

SUBMIT_TIMEOUT, REQUEUE_TIMEOUT = 120.0, 60.0
"""Seconds that SLURM's controller may take to answer."""

NAME = re.compile(r"[A-Za-z0-9_.+-]+")
TIME = re.compile(r"(?:(?P<days>\d+)-)?(?P<first>\d+)(?::(?P<second>\d+))?(?::(?P<third>\d+))?")


@dataclass(frozen=True, slots=True)
class SlurmJob:
    """What a site wants to know of a job; options that are None are not asked for.

    Attributes:
        shards: array tasks that share the study.
        name: of the job.
        partition, account: where it runs, and who pays.
        time: walltime as sbatch takes it: minutes, h:mm:ss or d-hh:mm:ss.
        nodes, ntasks: of one array task; a worker uses one node.
        cpus: cores of one array task; a worker uses as many processes.
        mem: memory of one array task, such as "8G".
        at_once: array tasks that run at one time.
        modules: loaded before work starts.
        setup: lines of shell before work starts, such as the activation of an environment.
        directives: further `#SBATCH` options, such as "--qos=normal".
    """

    shards: int = 8
    name: str = "vitiq"
    partition: str | None = None
    account: str | None = None
    time: str | None = None
    nodes: int = 1
    ntasks: int = 1
    cpus: int = 1
    mem: str | None = None
    at_once: int | None = None
    modules: tuple[str, ...] = ()
    setup: tuple[str, ...] = ()
    directives: tuple[str, ...] = field(default=())

    def __post_init__(self) -> None:
        faults = [
            f"{name} {value!r}: one word of letters, digits and . _ + - expected"
            for name, value in (("name", self.name), ("partition", self.partition), ("account", self.account))
            if value is not None and not NAME.fullmatch(value)
        ]
        for name in ("shards", "nodes", "ntasks", "cpus"):
            if getattr(self, name) < 1:
                faults.append(f"{name} {getattr(self, name)}: 1 or more expected")
        if self.time is not None and not TIME.fullmatch(self.time):
            faults.append(f"time {self.time!r}: minutes, h:mm:ss or d-hh:mm:ss expected")
        if self.mem is not None and not re.fullmatch(r"\d+[KMGT]?", self.mem):
            faults.append(f"mem {self.mem!r}: a number with K, M, G or T expected")
        for line in (*self.modules, *self.setup, *self.directives):
            if "\n" in line or not line.strip():
                faults.append(f"{line!r}: one line expected")
        if faults:
            raise InputError("SLURM options: " + "; ".join(faults))


def batch_script(out: Path, job: SlurmJob, worker: Sequence[str] = ()) -> str:
    """The array script of a study, to be read by people and by sbatch.

    Args:
        out: folder of the study, seen by every node.
        job: what the site wants to know.
        worker: further arguments of `vitiq bench worker`.
    """
    out = out.resolve()
    limit = "" if job.at_once is None else f"%{job.at_once}"
    options = {
        "job-name": job.name,
        "output": f"{out}/slurm/%A_%a.out",
        "error": f"{out}/slurm/%A_%a.err",
        "partition": job.partition,
        "nodes": job.nodes,
        "ntasks": job.ntasks,
        "cpus-per-task": job.cpus,
        "mem": job.mem,
        "time": job.time,
        "account": job.account,
        "array": f"1-{job.shards}{limit}",
        "signal": f"B:USR1@{WARNING_SECONDS}",
        "open-mode": "append",
    }
    lines = ["#!/bin/bash"]
    lines += [f"#SBATCH --{name}={_word(value)}" for name, value in options.items() if value is not None]
    lines += ["#SBATCH --requeue"]
    lines += [f"#SBATCH {line if line.startswith('-') else f'--{line}'}" for line in job.directives]
    lines += [
        "",
        "# Each array task does its share of the study and may be stopped at any moment: what is done is kept.",
        "# SIGUSR1 comes before the walltime ends; a worker that has work left then puts itself back into the queue.",
        "",
    ]
    lines += [f"module load {shlex.quote(name)}" for name in job.modules]
    lines += [*job.setup, "export OMP_NUM_THREADS=1"]
    command = [sys.executable, "-m", "vitiq", "bench", "worker", str(out)]
    arguments = " ".join(shlex.quote(a) for a in (*command, "--jobs", str(job.cpus), *worker))
    lines += [f'exec {arguments} --requeue --shard "$SLURM_ARRAY_TASK_ID/{job.shards}"', ""]
    return "\n".join(lines)


def _word(value: object) -> str:
    """A value of a directive; sbatch takes quotes where there are blanks."""
    text = str(value)
    return f'"{text}"' if re.search(r"\s", text) else text


def submit(script: Path) -> str:
    """Hand a script to sbatch.

    Returns:
        The job's number.

    Raises:
        MissingDependencyError: there is no sbatch here.
        InputError: sbatch cannot be run, gives no answer, or refuses the script.
    """
    if shutil.which("sbatch") is None:
        raise MissingDependencyError(
            f"sbatch is not found; copy {script} to a login node and run `sbatch {script.name}` there"
        )
    try:
        done = run_program(["sbatch", "--parsable", str(script)], Path(), SUBMIT_TIMEOUT)
    except TaskError as error:
        raise InputError(f"{error}; is the controller up (`sinfo`)?") from error
    if done.code:
        raise InputError(f"sbatch refused {script}: {done.said or done.printed.strip()}")
    return done.printed.strip().split(";")[0]


def deadline(environment: Mapping[str, str] = os.environ, seconds: float | None = None) -> float | None:
    """`time.time()` at which a worker should stop: before the walltime's end, or some seconds from now.

    Args:
        environment: of the process; SLURM says the end of the walltime in `SLURM_JOB_END_TIME` (23.02 and later).
        seconds: given by a person; counts from now.
    """
    ends = [time.time() + seconds] if seconds is not None else []
    text = environment.get("SLURM_JOB_END_TIME", "")
    if text.isdigit():
        ends.append(int(text) - WARNING_SECONDS)
    return min(ends, default=None)


def requeue(environment: Mapping[str, str] = os.environ) -> bool:
    """Put the job of this process back into the queue; False where it is none of SLURM's, or SLURM does not take it."""
    job = environment.get("SLURM_JOB_ID")
    if job is None:
        return False
    try:
        return run_program(["scontrol", "requeue", job], Path(), REQUEUE_TIMEOUT).code == 0
    except TaskError:
        return False


def shard_of(text: str) -> tuple[int, int]:
    """Which share "3/16" is: its number from 0, and how many there are.

    Raises:
        InputError: another text, or a number that is not 1 … n.

    Example:
        >>> shard_of("3/16")
        (2, 16)
    """
    found = re.fullmatch(r"(\d+)/(\d+)", text)
    if found is None or not 1 <= int(found[1]) <= int(found[2]):
        raise InputError(f"shard {text!r} given; expected i/n with i from 1 to n, such as 3/16")
    return int(found[1]) - 1, int(found[2])


def dask_cluster(jobs: int) -> Any:
    """A Dask cluster of SLURM jobs, one worker each, started when SLURM starts them.

    What the site wants to know comes from dask-jobqueue's own configuration (`jobqueue.slurm` in ~/.config/dask, or
    variables such as DASK_JOBQUEUE__SLURM__QUEUE); cores and memory of a worker are 1 and 2 GB where neither says.

    Args:
        jobs: SLURM jobs.

    Raises:
        MissingDependencyError: dask-jobqueue is not installed.
        InputError: SLURM's commands are not found, or an option is refused.
    """
    try:
        import dask  # noqa: PLC0415 - an extra
        from dask_jobqueue.slurm import SLURMCluster  # noqa: PLC0415
    except ImportError as error:
        raise MissingDependencyError("the slurm executor needs `pip install 'vitiq[slurm]'`") from error
    given: dict[str, Any] = {}
    for key, value in (("cores", 1), ("memory", "2GB"), ("processes", 1)):
        if dask.config.get(f"jobqueue.slurm.{key}", None) is None:
            given[key] = value
    try:
        cluster: Any = SLURMCluster(python=sys.executable, **given)
        cluster.scale(jobs=jobs)
    except (ValueError, TypeError, RuntimeError, OSError) as error:
        raise InputError(f"dask-jobqueue cannot start SLURM jobs: {error}") from error
    return cluster
