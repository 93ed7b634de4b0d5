"""The look-up of names: asked for once, and again where a package comes or goes. Truth: importlib.metadata itself."""

from __future__ import annotations

from importlib.metadata import entry_points
from pathlib import Path

import pytest

from vitiq import registry
from vitiq.errors import UnknownNameError


def test_names_are_those_of_the_entry_points() -> None:
    assert registry.names("codecs") == tuple(sorted(entry.name for entry in entry_points(group="vitiq.codecs")))


def test_installed_packages_are_searched_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every decoded file asks twice; reading all packages' metadata took ten times what a small image takes."""
    asked = []

    def counted(group: str) -> list[object]:
        asked.append(group)
        return []

    registry._found.cache_clear()
    monkeypatch.setattr(registry, "entry_points", counted)
    for _ in range(50):
        registry.names("codecs")
    assert asked == ["vitiq.codecs"]
    registry._found.cache_clear()


def test_a_package_that_is_installed_meanwhile_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    assert "late" not in registry.names("codecs")
    metadata = tmp_path / "late-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: late\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text("[vitiq.codecs]\nlate = late:Late\n")
    assert "late" in registry.names("codecs")


def test_only_commands_that_there_are_are_named() -> None:
    with pytest.raises(UnknownNameError, match=r"unknown codec 'x'.*vitiq codecs list shows all"):
        registry.load("codecs", "x")
    with pytest.raises(UnknownNameError, match=r"unknown entropy model 'x': [^(]*$"):
        registry.load("entropy_models", "x")
