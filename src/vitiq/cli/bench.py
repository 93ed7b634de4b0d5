"""`vitiq bench`: a rate-distortion study, and what is done with one."""

from __future__ import annotations

import click

from vitiq.cli.bench_slurm import submit, worker


@click.group("bench")
def command() -> None:
    """A rate-distortion study, done in shares by several workers."""


command.add_command(submit)
command.add_command(worker)
