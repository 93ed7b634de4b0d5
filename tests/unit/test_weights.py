"""Weights by name. Truth: a file whose hash is computed here; nothing is fetched from a network."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from vitiq.errors import InputError, UnknownNameError, WeightsError
from vitiq.weights import store as weights
from vitiq.weights.store import ModelInfo, fetch, list_models, model_info, resolve

CONTENT = b"weights" * 1000
SHA256 = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A source file, with models that point at it under several hashes."""
    source = tmp_path / "source.bin"
    source.write_bytes(CONTENT)
    entries = {"right": SHA256, "prefix": SHA256[:8], "wrong": "0" * 64, "none": None}
    url = source.as_uri()
    infos = {n: ModelInfo(n, "test", f"{n}.bin", None, sha, url, "none") for n, sha in entries.items()}
    infos["gone"] = ModelInfo("gone", "test", "gone.bin", None, SHA256, url + ".gone", "none")
    monkeypatch.setattr(weights, "model_info", infos.__getitem__)
    monkeypatch.setenv("VITIQ_CACHE", str(tmp_path / "cache"))
    return source


@pytest.mark.parametrize("name", ["right", "prefix"])
def test_a_file_with_the_pinned_hash_is_kept_and_not_fetched_again(known: Path, name: str) -> None:
    path = fetch(name)
    assert path.read_bytes() == CONTENT
    known.unlink()
    assert fetch(name) == path


def test_other_files_are_not_kept(known: Path) -> None:
    with pytest.raises(WeightsError, match=f"{SHA256}, {'0' * 64} expected"):
        fetch("wrong")
    with pytest.raises(WeightsError, match=f"--sha256 {SHA256}"):
        fetch("none")
    with pytest.raises(WeightsError, match=r"source\.bin\.gone.*models fetch gone --from PATH"):
        fetch("gone")
    assert not [p for p in (known.parent / "cache").iterdir() if p.is_file()]
    assert fetch("none", sha256=SHA256).read_bytes() == CONTENT


@pytest.mark.parametrize("name", ["lpips-alex", "alexnet-torchvision"])
def test_a_folder_is_no_weights_file(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VITIQ_CACHE", str(tmp_path / "cache"))
    file = Path(model_info(name).file).name
    for folder in (Path(), Path("/"), Path(".."), tmp_path):
        with pytest.raises(WeightsError, match=f"is a folder; expected the file {file} of {name}"):
            fetch(name, source=folder)


def test_what_a_model_needs_lies_beside_it_or_is_here_already(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    head, trunk = (
        ModelInfo(name, "test", f"{name}/{name}.bin", None, SHA256, "https://x", "none", requires)
        for name, requires in (("head", ("trunk",)), ("trunk", ()))
    )
    monkeypatch.setattr(weights, "model_info", {"head": head, "trunk": trunk}.__getitem__)
    monkeypatch.setenv("VITIQ_CACHE", str(tmp_path / "cache"))
    source = tmp_path / "here" / "any.bin"
    with pytest.raises(WeightsError, match=r"any\.bin: no such file; expected the file head\.bin"):
        fetch("head", source=source)
    source.parent.mkdir()
    source.write_bytes(CONTENT)
    with pytest.raises(WeightsError, match=r"any\.bin: head needs trunk\.bin .* in the same folder"):
        fetch("head", source=source)
    (source.parent / "trunk.bin").write_bytes(CONTENT)
    assert fetch("head", source=source).read_bytes() == CONTENT
    (source.parent / "trunk.bin").unlink()
    head.path.unlink()
    assert fetch("head", source=source).read_bytes() == CONTENT, "what it needs is in the cache"


def test_every_model_to_fetch_has_a_secure_address() -> None:
    for info in list_models():
        assert info.embedded or str(info.url).startswith("https://")
        assert info.sha256 is None or info.sha256 == info.sha256.lower()
    assert model_info("vit-embedded").embedded
    with pytest.raises(UnknownNameError, match="vit-embedded"):
        model_info("vit-imagined")


def test_weights_are_found_by_their_hash_wherever_they_lie(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VITIQ_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("VITIQ_WEIGHTS_PATH", f"{tmp_path / 'gone'}:{tmp_path / 'mine'}")
    for info in list_models():
        if info.embedded:
            assert resolve(str(info.sha256)) == resolve(str(info.sha256)[:16].upper()) == info.path
            assert info.release is not None
    with pytest.raises(WeightsError, match="no release shipped them"):
        resolve(SHA256)
    for folder in ("cache", "mine/deeper"):
        (tmp_path / folder).mkdir(parents=True)
        path = tmp_path / folder / "w.safetensors"
        path.write_bytes(CONTENT)
        assert resolve(SHA256[:8]) == path
        path.write_bytes(CONTENT + b"changed")
        with pytest.raises(WeightsError, match="are not found"):
            resolve(SHA256)
    with pytest.raises(WeightsError, match="vitiq models fetch lpips-alex"):
        resolve("df73285e35b22355")


@pytest.mark.parametrize("bad", ["", "1234567", "g" * 16, "0" * 65, "12345678\n"])
def test_what_is_no_hash_is_refused(bad: str) -> None:
    with pytest.raises(InputError, match="hexadecimal"):
        resolve(bad)
