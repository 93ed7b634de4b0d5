"""What a source distribution holds. Truth: what README links to, and what its own Makefile and tests read."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path, PurePosixPath

ROOT = Path(__file__).parents[2]
NEEDED = (
    "LICENSE",
    "CHANGELOG.md",
    "Makefile",
    "constraints.txt",
    "pyproject.toml",
    "src/vitiq/py.typed",
    "src/vitiq/weights/manifest.json",
    "src/vitiq/weights/codec_embedded.safetensors",
    "src/vitiq/training/configs",
    "tests/conftest.py",
    "tests/golden/data",
    "benchmarks/other_tools.py",
    "examples/plugins/vitiq-compressai/pyproject.toml",
    "examples/plugins/vitiq-compressai/vitiq_compressai.py",
)


def test_it_holds_what_readme_links_to_and_what_tests_need(tmp_path: Path) -> None:
    for name in ("pyproject.toml", "MANIFEST.in"):
        shutil.copy(ROOT / name, tmp_path)
    for path in ROOT.iterdir():
        if path.suffix != ".egg-info" and not path.name.startswith(".") and path.name not in {"build", "dist", "out"}:
            target = tmp_path / path.name
            if not target.exists():
                target.symlink_to(path)
    setup = "import setuptools; setuptools.setup()"
    command = [sys.executable, "-c", setup, "-q", "egg_info", "--egg-base", "."]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    listed = (tmp_path / "vitiq.egg-info" / "SOURCES.txt").read_text(encoding="utf-8").splitlines()
    held = {str(part) for line in listed for part in (PurePosixPath(line), *PurePosixPath(line).parents)}
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    links = re.findall(r"\]\((?!https?:|mailto:|#)([^)#\s]+)", text)
    assert len(links) > 10
    assert {link.rstrip("/") for link in links} - held == set()
    assert set(NEEDED) - held == set()
    assert not [line for line in listed if "__pycache__" in line or line.endswith(".pyc")]


def test_all_brings_every_package_of_a_metric_or_a_codec() -> None:
    """But for cvvdp, whose torchvision must be built for the torch beside it."""
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    wanted = set(extras) - {"all", "cvvdp", "dask", "slurm", "dev", "hardening"}
    assert set(extras["all"]) == {package for extra in wanted for package in extras[extra]}
