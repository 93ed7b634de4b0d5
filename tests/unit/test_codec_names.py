"""No package but `codecs/` names a codec: a new one is its own folder and one entry point.

Truth: the registered names, and the string constants of every module (docstrings aside).
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import vitiq
from vitiq import registry

SOURCE = Path(vitiq.__file__).parent
# Names of distortions in opinion data, and of file formats that are read, happen to be the same words.
OTHER_MEANING = {"datasets", "image"}
FORMATS = {"report/assets.py", "cli/bench_manage.py"}  # how images stand in a page, and tables of an export
PACKAGES = sorted(
    path.name
    for path in SOURCE.iterdir()
    if (path.is_dir() and (path / "__init__.py").exists()) or (path.suffix == ".py")
)


def constants(path: Path) -> Iterator[tuple[int, str]]:
    """Line and text of each string constant that is no docstring."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    prose = {
        id(statement.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef)
        for statement in node.body
        if isinstance(statement, ast.Expr)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in prose:
            yield node.lineno, node.value


@pytest.mark.parametrize("package", [name for name in PACKAGES if name not in {"codecs", *OTHER_MEANING}])
def test_no_other_package_names_a_codec(package: str) -> None:
    names = set(registry.names("codecs"))
    root = SOURCE / package
    modules = [root] if root.is_file() else sorted(root.rglob("*.py"))
    found = [
        f"{path.relative_to(SOURCE)}:{line}: {text!r}"
        for path in modules
        for line, text in constants(path)
        if re.fullmatch(r"[\w.+, -]+", text) and names & {part.strip() for part in text.split(",")}
        if path.relative_to(SOURCE).as_posix() not in FORMATS
    ]
    assert found == []
