"""Studies on a real cluster: SLURM on this machine's loopback, and Dask.

Truth: the same study done in one process. Records must be equal one for one, times aside; nothing may stand twice.
SLURM is Debian's, started by `one_node.sh`; where it is not installed and cannot be, these tests are skipped and say
why, or fail where VITIQ_REQUIRE_SLURM=1.
"""

from __future__ import annotations

import math
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from vitiq.evaluation.record import Record
from vitiq.evaluation.store import Store

HERE = Path(__file__).parent
SWEEP = [sys.executable, str(HERE / "sweep.py")]
VITIQ = f"{sys.executable} -m vitiq"
TASKS = 4 * (9 + 5)
ENVIRONMENT = {
    **os.environ,
    "OMP_NUM_THREADS": "1",
    "DASK_DISTRIBUTED__WORKER__DAEMON": "False",
    "DASK_JOBQUEUE__SLURM__QUEUE": "debug",
    "DASK_JOBQUEUE__SLURM__WALLTIME": "00:10:00",
    "DASK_JOBQUEUE__SLURM__CORES": "1",
    "DASK_JOBQUEUE__SLURM__MEMORY": "1GB",
    "DASK_JOBQUEUE__SLURM__INTERFACE": "lo",
    "DASK_JOBQUEUE__SLURM__SCHEDULER_OPTIONS": "{'host': '127.0.0.1', 'dashboard': False}",
}


@pytest.fixture(scope="session")
def slurm() -> None:
    """SLURM's programs; installed here where that can be done."""
    subprocess.run(["flock", "/tmp/vitiq-install-slurm.lock", str(HERE / "install.sh")], check=True)
    wanted = ("slurmctld", "slurmd", "sbatch", "munged", "unshare", "ip")
    missing = [name for name in wanted if shutil.which(name) is None]
    reason = f"no {', '.join(missing)} here" if missing else "not root" if os.geteuid() else ""
    if not reason:
        tried = subprocess.run(["unshare", "--net", "--mount", "true"], capture_output=True, text=True, check=False)
        reason = tried.stderr.strip()
    if reason and os.environ.get("VITIQ_REQUIRE_SLURM") == "1":
        pytest.fail(f"cluster tests are required and cannot run: {reason}")
    if reason:
        pytest.skip(f"a SLURM of its own needs root, slurm-wlm and munge: {reason}")


@pytest.fixture(scope="session")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four small images."""
    folder = tmp_path_factory.mktemp("images")
    rng = np.random.default_rng(0)
    for number in range(4):
        coarse = rng.integers(0, 256, (9, 12, 3), dtype=np.uint8)
        Image.fromarray(coarse).resize((96, 72), Image.Resampling.BICUBIC).save(folder / f"{number}.png")
    return folder


def planned(out: Path, images: Path) -> Path:
    """A folder with the study, nothing done yet."""
    subprocess.run([*SWEEP, "plan", str(out), str(images)], check=True, env=ENVIRONMENT, timeout=300)
    return out


@pytest.fixture(scope="session")
def inline(images: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Record]:
    """Records of the study done in one process."""
    out = planned(tmp_path_factory.mktemp("inline"), images)
    subprocess.run([*SWEEP, "run", str(out), "inline", "1"], check=True, env=ENVIRONMENT, timeout=600)
    return records(out)


def records(out: Path) -> list[Record]:
    """Records of a study without their times; none stands twice."""
    found = [replace(r, encode_seconds=0.0, decode_seconds=0.0) for r in Store(out).records()]
    assert len({r.key for r in found}) == len(found)
    return found


def close(a: Any, b: Any) -> bool:
    """Equal JSON values, numbers to 1e-6: a network's probabilities depend in the eighth digit on its batch."""
    if isinstance(a, Mapping) and isinstance(b, Mapping):
        return a.keys() == b.keys() and all(close(a[k], b[k]) for k in a)
    if isinstance(a, list | tuple) and isinstance(b, list | tuple):
        return len(a) == len(b) and all(map(close, a, b))
    return a == b or (isinstance(a, float) and isinstance(b, float) and math.isclose(a, b, abs_tol=1e-6))


def equal(a: Record, b: Record) -> bool:
    """Equal records: values of metrics bit for bit, their details to 1e-6."""
    values = [{name: (s.value, s.signature) for name, s in r.scores.items()} for r in (a, b)]
    details = [{name: s.details for name, s in r.scores.items()} for r in (a, b)]
    return replace(a, scores={}) == replace(b, scores={}) and values[0] == values[1] and close(*details)


def same(out: Path, inline: list[Record]) -> Iterator[str]:
    """What differs from the study done in one process."""
    found = records(out)
    if len(found) != len(inline):
        yield f"{len(found)} records, {len(inline)} expected"
    for ours, theirs in zip(found, inline, strict=False):
        if not equal(ours, theirs):
            yield f"{ours}\n{theirs}"
        assert all(math.isfinite(score.value) for score in ours.scores.values())
    for record in found:
        path = Store(out).bitstream(record)
        if path is None or path.stat().st_size != record.bytes:
            yield f"{record.image} {record.label}: file is not there or not whole"
    yield from (f"{path}: left behind" for path in out.rglob("*.tmp*"))


def on_slurm(folder: Path, script: str) -> str:
    """Run a bash script on a SLURM of its own; what it prints."""
    command = [str(HERE / "one_node.sh"), str(folder), "bash", "-euo", "pipefail", "-c", script]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=ENVIRONMENT, timeout=900)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}\n{logs(folder)}"
    return done.stdout


def logs(folder: Path) -> str:
    """Ends of what daemons and jobs wrote."""
    parts = [p for p in folder.parent.rglob("*") if p.suffix in (".log", ".err", ".out") and p.is_file()]
    return "\n".join(f"== {p}\n{p.read_text(errors='replace')[-1500:]}" for p in parts)


WAIT = """
settled() {  # wait until the queue is empty
    for _ in $(seq 600); do
        [ -z "$(timeout 10 squeue --noheader)" ] && return 0
        sleep 0.5
    done
    squeue; return 1
}
until_state() {  # wait until a job is RUNNING, or PENDING: SLURM holds what was put back for two minutes, not here
    for _ in $(seq 600); do
        state=$(squeue --noheader --jobs="$1" --format=%T)
        [ "$state" = "$2" ] && { [ "$2" = RUNNING ] || scontrol update JobId="$1" StartTime=now; } && return 0
        sleep 0.2
    done
    squeue; return 1
}
until_running() {  # wait until a job writes parts
    for _ in $(seq 600); do
        [ -n "$(find "$1/store" -name '*.parquet' 2>/dev/null | head -n 1)" ] && return 0
        sleep 0.1
    done
    squeue; return 1
}
"""


@pytest.mark.usefixtures("slurm")
def test_a_sweep_through_the_slurm_executor(images: Path, inline: list[Record], tmp_path: Path) -> None:
    out = planned(tmp_path / "out", images)
    said = on_slurm(tmp_path / "slurm", f"cd {tmp_path}; {' '.join(SWEEP)} run {out} slurm 2")
    assert f"{TASKS} done, 0 kept, 0 failed" in said
    assert not list(same(out, inline))


@pytest.mark.usefixtures("slurm")
def test_submit_and_workers_cancelled_requeued_and_resumed(images: Path, inline: list[Record], tmp_path: Path) -> None:
    out = planned(tmp_path / "out", images)
    script = f"""
    {WAIT}
    {VITIQ} bench submit {out} --slurm --shards 4 --partition debug --time 10 --json >{out}/job.json
    job=$(grep -o '"job": "[0-9]*"' {out}/job.json | grep -o '[0-9]*')
    until_running {out}
    # near the walltime's end: the worker puts itself back
    scancel --batch --signal=USR1 ${{job}}_1
    until_state ${{job}}_1 PENDING
    # cancelled, one as it works and one before it began; and one that is put back as it works
    scancel ${{job}}_2 ${{job}}_4
    until_state ${{job}}_3 RUNNING
    scontrol requeue ${{job}}_3
    until_state ${{job}}_3 PENDING
    settled
    echo "first: $(find {out}/bitstreams -type f | wc -l)"
    {VITIQ} bench submit {out} --slurm --shards 3 --partition debug --time 10
    settled
    cat {out}/slurm/*.out
    """
    said = on_slurm(tmp_path / "slurm", script)
    first = int(said.split("first: ")[1].split()[0])
    assert 0 < first < TASKS, "some were cancelled in the middle"
    assert not list(same(out, inline)), said + logs(tmp_path / "slurm")


def test_a_dask_cluster_with_a_worker_killed_in_the_middle(images: Path, inline: list[Record], tmp_path: Path) -> None:
    pytest.importorskip("distributed")
    out = planned(tmp_path / "out", images)
    done = subprocess.run(
        [*SWEEP, "run", str(out), "dask", "2", "--kill"],
        capture_output=True,
        text=True,
        check=False,
        env=ENVIRONMENT,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr
    assert f"{TASKS} done, 0 kept, 0 failed" in done.stdout
    assert not list(same(out, inline))
