"""What is checked before an upload. Truth: a checkout that is ready, and one fault at a time in a copy of it."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from scripts import script_module

ROOT = Path(__file__).parents[2]
FILES = ("pyproject.toml", "CITATION.cff", "CHANGELOG.md", "src/vitiq/__init__.py")
ADDRESSES = """
[project.urls]
Homepage = "https://example.org"
Source = "https://example.org/source"
Issues = "https://example.org/issues"
Changelog = "https://example.org/changelog"
"""


@pytest.fixture
def ready(tmp_path: Path) -> Path:
    for name in FILES:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    with (tmp_path / "pyproject.toml").open("r+", encoding="utf-8") as file:
        if "[project.urls]" not in file.read():
            file.write(ADDRESSES)
    return tmp_path


def test_versions_and_dates_agree_here(ready: Path) -> None:
    assert script_module("docs/check_release.py").findings(ready) == []


@pytest.mark.parametrize(
    ("file", "old", "new", "said"),
    [
        ("pyproject.toml", "[project.urls]", "[tool.urls]", "[project.urls] has no Homepage"),
        ("pyproject.toml", 'Source = "https', 'Source = "http', "[project.urls] has no Source"),
        ("pyproject.toml", '\nversion = "', '\nversion = "9', "CITATION.cff: version "),
        ("src/vitiq/__init__.py", '__version__ = "', '__version__ = "9', "vitiq.__version__: version 9"),
        ("CITATION.cff", 'date-released: "20', 'date-released: "19', "CHANGELOG.md begins with"),
        ("CHANGELOG.md", "\n## ", "\n## Unreleased\n\n## ", "CHANGELOG.md begins with 'Unreleased'"),
    ],
)
def test_what_is_missing_is_named(ready: Path, file: str, old: str, new: str, said: str) -> None:
    text = (ready / file).read_text(encoding="utf-8")
    assert old in text
    (ready / file).write_text(text.replace(old, new, 1), encoding="utf-8")
    command = [sys.executable, str(ROOT / "docs" / "check_release.py"), str(ready)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert said in done.stderr
