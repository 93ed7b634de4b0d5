"""The look-up of names: asked for once, and again where a package comes or goes. Truth: importlib.metadata itself."""

from __future__ import annotations

import sys
from importlib.metadata import entry_points
from pathlib import Path

import pytest

from vitiq import registry
from vitiq.errors import PluginError, UnknownNameError


def test_names_are_those_of_the_entry_points() -> None:
    assert registry.names("codecs") == tuple(sorted(entry.name for entry in entry_points(group="vitiq.codecs")))


@pytest.mark.parametrize(("group", "given", "meant"), [("metrics", "SSIM", "ssim"), ("codecs", "JPEG", "jpeg")])
def test_names_in_capitals_are_known_again(group: registry.Group, given: str, meant: str) -> None:
    with pytest.raises(UnknownNameError, match=f"did you mean {meant}[ ?]"):
        registry.load(group, given)


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


def _package(folder: Path, name: str, entries: str) -> None:
    metadata = folder / name / f"{name}-1.0.dist-info"
    metadata.mkdir(parents=True)
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text(entries)
    (folder / name / f"{name}.py").write_text("class Same:\n    pass\n")


@pytest.mark.parametrize("first", [True, False])
def test_a_name_of_vitiq_cannot_be_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, first: bool) -> None:
    expected = registry.load("codecs", "jpeg")
    _package(tmp_path, "taker", "[vitiq.codecs]\njpeg = taker:Same\n")
    place = str(tmp_path / "taker")
    monkeypatch.setattr(sys, "path", [place, *sys.path] if first else [*sys.path, place])
    assert registry.load("codecs", "jpeg") is expected


def test_a_plug_in_that_has_a_name_of_vitiqs_is_named_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    _package(tmp_path, "secondtaker", "[vitiq.metrics]\nmse = secondtaker:Same\n")
    monkeypatch.syspath_prepend(tmp_path / "secondtaker")
    for _ in range(2):
        registry.load("metrics", "mse")
        registry.load("metrics", "ssim")
    assert [record.getMessage() for record in caplog.records] == [
        "metric 'mse' of secondtaker is not used, as vitiq has one of that name; rename it there"
    ]


def test_a_plug_ins_package_is_known_and_vitiqs_own_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _package(tmp_path, "giver", "[vitiq.filters]\ngiven = giver:Same\n[vitiq.codecs]\njpeg = giver:Same\n")
    monkeypatch.syspath_prepend(tmp_path / "giver")
    assert registry.package("filters", "given") == ("giver", "1.0")
    assert registry.package("codecs", "jpeg") is registry.package("codecs", "nothing") is None


def test_a_name_of_two_packages_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("one", "two"):
        _package(tmp_path, name, f"[vitiq.codecs]\nsame = {name}:Same\n")
        monkeypatch.syspath_prepend(tmp_path / name)
    with pytest.raises(PluginError, match=r"codec 'same' is registered by one and two; remove one"):
        registry.load("codecs", "same")
    assert registry.load("codecs", "jpeg").name == "jpeg"


def test_a_folder_of_sources_alone_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    registry._found.cache_clear()
    monkeypatch.setattr(registry, "entry_points", lambda group: [])
    with pytest.raises(UnknownNameError, match="vitiq is not installed in this Python: pip install vitiq"):
        registry.load("codecs", "jpeg")
    registry._found.cache_clear()


def test_only_commands_that_there_are_are_named() -> None:
    with pytest.raises(UnknownNameError, match=r"unknown codec 'x'.*vitiq codecs list shows all"):
        registry.load("codecs", "x")
    with pytest.raises(UnknownNameError, match=r"unknown entropy model 'x': [^(]*$"):
        registry.load("entropy_models", "x")
