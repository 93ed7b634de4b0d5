"""The quick part of the hardening campaign: damaged files through every reader, and every prefix of whole ones.

Truth: a reader gives a value or raises a VitiqError; anything else is a finding. `make hardening` runs the long part.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
import warnings
from pathlib import Path

import campaign
import pytest
from targets import TARGETS, Target, mutated, outcome, seeds_of

QUICK = {
    "viq-decode": 3,
    "viq-inspect": 10,
    "pth": 60,
    "avif": 60,
    "jxl": 60,
    "training-toml": 60,
    "npz-backbone": 60,
    "store-encodes": 20,
    "store-scores": 20,
    "icc": 60,
}
PREFIXES = 400
"""Of a file at most, evenly spread; `make hardening` tries every one."""
LONG = bool(os.environ.get("VITIQ_HARDENING_LONG"))
FINE = {"read", "refused"}


@pytest.fixture(autouse=True)
def _quiet() -> None:
    warnings.simplefilter("ignore")


@pytest.mark.parametrize("name", TARGETS)
def test_damaged_files_are_read_or_refused(name: str) -> None:
    target, seeds = TARGETS[name], seeds_of(name)
    assert {outcome(target, seed) for seed in seeds} <= FINE
    rng = random.Random(f"{name}:quick")
    for number in range(QUICK.get(name, 150)):
        assert outcome(target, mutated(seeds, target.ways, rng)) in FINE, f"{name}, file {number}"


IMAGES = ("png", "jpeg", "tiff", "webp", "avif", "jpeg2000", "jpeg2000-deep", "jxl", "gif", "bmp", "tga", "icc")
"""Readers that hand bytes to libraries written in C or Rust."""


@pytest.mark.parametrize("name", IMAGES)
def test_libraries_say_nothing_by_themselves(name: str, capfd: pytest.CaptureFixture[str]) -> None:
    """What is wrong is an exception's text; lines that a library prints from C would stand beside it."""
    target, seeds = TARGETS[name], seeds_of(name)
    rng = random.Random(f"{name}:quiet")
    for number in range({"tiff": 400, "icc": 40}.get(name, 120)):
        outcome(target, mutated(seeds, target.ways, rng))
        assert capfd.readouterr() == ("", ""), f"{name}, file {number}"


@pytest.mark.parametrize("name", [name for name in TARGETS if not name.startswith("viq-")])
def test_every_prefix_of_a_whole_file(name: str) -> None:
    """A download that stopped anywhere."""
    whole = seeds_of(name)[-1]
    target = TARGETS[name]
    most = PREFIXES // 10 if name.startswith("store-") else PREFIXES
    for length in range(0, len(whole), 1 if LONG else -(-len(whole) // most)):
        assert outcome(target, whole[:length]) in FINE, f"{name}, {length} bytes"


def test_a_worker_that_dies_is_a_finding_and_the_campaign_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    def read(data: bytes) -> object:
        if data == b"abort":
            os.abort()
        if data == b"odd":
            raise ZeroDivisionError
        return data

    def way(rng: random.Random, data: bytes) -> bytes:
        return {0: b"abort", 1: b"odd"}.get(rng.randrange(400), data)

    fake = Target(lambda: [b"seed"], read, (way,), 1)
    monkeypatch.setitem(TARGETS, "fake", fake)
    result = campaign.run_target("fake", 1, 1000)
    said = [str(finding["said"]) for finding in result["findings"]]  # type: ignore[attr-defined]
    assert any("the process died" in line for line in said)
    assert any("ZeroDivisionError" in line for line in said)
    first = next(f["file"] for f in result["findings"] if "died" in f["said"])  # type: ignore[attr-defined]
    assert campaign.replay(first) == b"abort"


def test_the_guided_part_counts_its_files_or_says_why_it_is_left_out(tmp_path: Path) -> None:
    script, out = Path(__file__).with_name("guided.py"), tmp_path / "guided.json"
    command: list[str] = [sys.executable, str(script), "--runs", "300", "--readers", "codec-spec", "--out", str(out)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "codec-spec" in done.stdout or "atheris is not installed" in done.stdout
