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
