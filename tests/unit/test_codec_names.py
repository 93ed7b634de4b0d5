"""No package but `codecs/` names a codec, and no family another: a new one is its own folder and one entry point.

Truth: the registered names, the string constants of every module (docstrings aside), and the imports of every folder
of `codecs/`, of those too that the contracts of import-linter do not list yet.
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


@pytest.mark.parametrize("package", [name for name in PACKAGES if name not in {"codecs", *OTHER_MEANING}])
def test_no_message_of_another_package_names_a_codec_of_vitiqs(package: str) -> None:
    """Sentences may speak of formats (JPEG), not of vitiq's own codecs: those change."""
    own = [name for name in registry.names("codecs") if getattr(registry.load("codecs", name), "viq_id", None)]
    assert len(own) == 4
    root = SOURCE / package
    found = [
        f"{path.relative_to(SOURCE)}:{line}: {text!r}"
        for path in ([root] if root.is_file() else sorted(root.rglob("*.py")))
        for line, text in constants(path)
        if re.search(rf"(?<![\w-])(?:{'|'.join(own)})(?![\w-])", text)
    ]
    assert found == []


FAMILIES = sorted(path.parent.name for path in SOURCE.glob("codecs/*/__init__.py"))


def imported(path: Path) -> Iterator[str]:
    """Dotted names of what a module imports, wherever in it."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            yield from (f"{node.module}.{name.name}" for name in node.names)


def strangers(family: Path) -> list[str]:
    """What modules of a family import from the other families beside it."""
    others = {path.name for path in family.parent.iterdir() if path.is_dir()} - {family.name}
    return [
        f"{path.relative_to(family)} imports {name}"
        for path in sorted(family.rglob("*.py"))
        for name in imported(path)
        if name.startswith("vitiq.codecs.") and name.split(".")[2] in others
    ]


@pytest.mark.parametrize("family", FAMILIES)
def test_no_family_imports_another(family: str) -> None:
    assert strangers(SOURCE / "codecs" / family) == []


def test_a_family_that_imports_another_is_seen(tmp_path: Path) -> None:
    for name, text in {"new": "def f():\n    from vitiq.codecs import old\n", "old": ""}.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "codec.py").write_text(text + "import vitiq.codecs.base\n", encoding="utf-8")
    assert strangers(tmp_path / "new") == ["codec.py imports vitiq.codecs.old"]
    assert strangers(tmp_path / "old") == []
