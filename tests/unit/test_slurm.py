"""Batch scripts and what a worker reads of SLURM. Truth: sbatch(1) of SLURM 22.05, and the script as people read it."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from vitiq.errors import InputError, MissingDependencyError
from vitiq.evaluation.slurm import SlurmJob, batch_script, deadline, requeue, shard_of, submit
from vitiq.evaluation.study import Study, StudyImage, of_shard

SCRIPT = """#!/bin/bash
#SBATCH --job-name=kodak
#SBATCH --output=/scratch/me/study/slurm/%A_%a.out
#SBATCH --error=/scratch/me/study/slurm/%A_%a.err
#SBATCH --partition=normal
#SBATCH --nodes=1
#SBATCH --ntasks=1
#SBATCH --cpus-per-task=4
#SBATCH --mem=8G
#SBATCH --time=2:00:00
#SBATCH --account=MY-PROJECT
#SBATCH --array=1-32%8
#SBATCH --signal=B:USR1@120
#SBATCH --open-mode=append
#SBATCH --requeue
#SBATCH --qos=debug

# Each array task does its share of the study and may be stopped at any moment: what is done is kept.
# SIGUSR1 comes before the walltime ends; a worker that has work left then puts itself back into the queue.

module load python3
source /work/me/.venv/bin/activate
export OMP_NUM_THREADS=1
exec PYTHON -m vitiq bench worker /scratch/me/study --jobs 4 --study abc --requeue --shard "$SLURM_ARRAY_TASK_ID/32"
"""

JOB = SlurmJob(
    shards=32,
    name="kodak",
    partition="normal",
    account="MY-PROJECT",
    time="2:00:00",
    cpus=4,
    mem="8G",
    at_once=8,
    modules=("python3",),
    setup=("source /work/me/.venv/bin/activate",),
    directives=("--qos=debug",),
)


def test_the_script_as_a_person_reads_it() -> None:
    text = batch_script(Path("/scratch/me/study"), JOB, ("--study", "abc"))
    assert text.split("\n") == SCRIPT.replace("PYTHON", sys.executable).split("\n")


def test_bash_reads_the_script_whatever_the_folder_is_called(tmp_path: Path) -> None:
    odd = tmp_path / "a b'c"
    text = batch_script(odd, SlurmJob())
    assert f'#SBATCH --output="{odd}/slurm/%A_%a.out"' in text
    assert "--partition" not in text
    assert "--time" not in text
    subprocess.run(["bash", "-n"], input=text, text=True, check=True)
    shown = text.replace("exec ", "printf '%s\\n' ")
    said = subprocess.run(
        ["bash"],
        input=shown,
        text=True,
        check=True,
        capture_output=True,
        env={**os.environ, "SLURM_ARRAY_TASK_ID": "3"},
    ).stdout.split("\n")
    assert str(odd) in said
    assert "3/8" in said


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"name": "a b"}, "name 'a b': one word"),
        ({"partition": "x\n#SBATCH --uid=0"}, "partition"),
        ({"time": "soon"}, "time 'soon': minutes"),
        ({"mem": "much"}, "mem 'much'"),
        ({"shards": 0}, "shards 0: 1 or more"),
        ({"directives": ("--a\nrm -r /",)}, "one line expected"),
        ({"cpus": 0, "account": "?"}, r"account '\?'.*cpus 0"),
    ],
)
def test_all_faults_of_a_job_are_named(options: dict[str, object], said: str) -> None:
    with pytest.raises(InputError, match=said):
        SlurmJob(**options)  # type: ignore[arg-type]


@pytest.mark.parametrize("text", ["10", "90:00", "2:00:00", "1-12", "2-00:00:00"])
def test_walltimes_as_sbatch_takes_them(text: str) -> None:
    assert SlurmJob(time=text).time == text


def test_shares() -> None:
    assert [shard_of(f"{i}/3") for i in (1, 2, 3)] == [(0, 3), (1, 3), (2, 3)]
    for text in ("0/3", "4/3", "1", "1/0", "a/b", "1/3/5", "-1/3"):
        with pytest.raises(InputError, match="i from 1 to n"):
            shard_of(text)


def test_every_task_is_in_one_share() -> None:
    images = tuple(StudyImage(f"{i}.png", "", f"{i:064x}", 8, 8, 9) for i in range(200))
    from vitiq.codecs.spec import parse_codecs
    from vitiq.evaluation.plan import series_of

    study = Study(images, tuple(series_of(c) for c in parse_codecs("jpeg@10:90:10")), ())
    shares = [{t.key for t in of_shard(study.tasks(), i, 7)} for i in range(7)]
    assert sum(map(len, shares)) == len(set().union(*shares)) == 1800
    assert min(map(len, shares)) > 200, "shares of about a size"


def test_a_worker_stops_before_the_walltime() -> None:
    assert deadline({}) is None
    assert deadline({"SLURM_JOB_END_TIME": "1000"}) == 880
    soon = deadline({"SLURM_JOB_END_TIME": "99999999999"}, 5.0)
    assert soon is not None
    assert 0 < soon - time.time() < 6
    assert not requeue({})


def test_without_slurm_the_script_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MissingDependencyError, match=r"copy .*study\.sh to a login node"):
        submit(tmp_path / "study.sh")
    assert not requeue({"SLURM_JOB_ID": "1"})
    (tmp_path / "sbatch").write_text("#!/bin/sh\necho 'Invalid account' >&2; exit 1\n")
    (tmp_path / "sbatch").chmod(0o755)
    with pytest.raises(InputError, match=r"refused .*Invalid account"):
        submit(tmp_path / "study.sh")
    (tmp_path / "sbatch").write_text("#!/bin/sh\necho '42;cluster'\n")
    assert submit(tmp_path / "study.sh") == "42"
    (tmp_path / "sbatch").write_text("#!/bin/sh\n/bin/sleep 30 & wait\n")
    monkeypatch.setattr("vitiq.evaluation.slurm.SUBMIT_TIMEOUT", 0.5)
    with pytest.raises(InputError, match=r"sbatch took more than 0\.5 s and was stopped; is the controller up"):
        submit(tmp_path / "study.sh")
    (tmp_path / "scontrol").write_text("#!/bin/sh\n[ $1 = requeue ] && [ $2 = 7 ]\n")
    (tmp_path / "scontrol").chmod(0o755)
    assert requeue({"SLURM_JOB_ID": "7"})
    assert not requeue({"SLURM_JOB_ID": "8"})
