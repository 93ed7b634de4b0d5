"""`vitiq.plugins`: what packages of plug-ins import. Truth: its stub, which type checkers read, and the classes."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

import vitiq.plugins

ROOT = Path(__file__).parents[2]
STUB = ast.parse((ROOT / "src/vitiq/plugins.pyi").read_text(encoding="utf-8"))
HOMES = {
    name.name: f"vitiq.{line.module}" for line in STUB.body if isinstance(line, ast.ImportFrom) for name in line.names
}


@pytest.mark.parametrize(("name", "home"), HOMES.items())
def test_each_name_is_that_of_the_module_it_comes_from(name: str, home: str) -> None:
    assert getattr(vitiq.plugins, name) is getattr(import_module(home), name)


def test_all_names_are_listed_and_documented() -> None:
    assert sorted(HOMES) == sorted(vitiq.plugins.__all__) == dir(vitiq.plugins)
    page = (ROOT / "docs/reference/python.md").read_text(encoding="utf-8").partition("## Plug-ins")[2]
    assert set(HOMES) <= set(re.findall(r"`(\w+)`", page))


@pytest.mark.parametrize("names", ["Codec, Filter, PairMetric, SetMetric, option, Score, Quality", "Command, ViqCodec"])
def test_contracts_load_no_torch(names: str) -> None:
    code = f"import sys\nfrom vitiq.plugins import {names}\nprint('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def test_the_example_packages_import_the_public_interface_alone() -> None:
    found = [
        (path.name, line.module)
        for path in (ROOT / "examples/plugins").rglob("*.py")
        for line in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(line, ast.ImportFrom) and (line.module or "").startswith("vitiq")
    ]
    assert len(found) >= 5
    assert {module for _, module in found} <= {"vitiq", "vitiq.plugins"}
