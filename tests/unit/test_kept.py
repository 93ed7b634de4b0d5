"""What is loaded of a file is kept while the file stays the same. Truth: the file that lies there at the call."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors.torch import save_file

import vitiq
from vitiq.evaluation.metric_spec import MetricSpec
from vitiq.evaluation.worker import forget, metrics_of
from vitiq.models.backbones import load_backbone
from vitiq.models.vit import VisionTransformer, named_config
from vitiq.types import ImageU8
from vitiq.weights.kept import kept


def write_weights(path: Path, seed: int) -> Path:
    """A Vision Transformer of random weights."""
    torch.manual_seed(seed)
    save_file(VisionTransformer(named_config("vit_tiny_patch16_224")).state_dict(), path)
    return path


def test_a_backbone_that_was_trained_again_is_read_again(tmp_path: Path, bundled: dict[str, ImageU8]) -> None:
    images = [bundled["animal"]]
    path = write_weights(tmp_path / "mine.safetensors", 0)
    first = vitiq.backbone(path)
    before = first.logits(images)
    assert vitiq.backbone(path) is first
    write_weights(path, 1)
    second = vitiq.backbone(path)
    assert second.weights_sha256 != first.weights_sha256
    assert abs(second.logits(images) - before).max() > 0.01


def test_each_backbone_is_loaded_once_however_the_call_is_written(tmp_path: Path) -> None:
    path = write_weights(tmp_path / "mine.safetensors", 0)
    assert load_backbone() is load_backbone("vit-embedded", None, "cpu")
    assert load_backbone(weights=path) is load_backbone(weights=path, device="cpu") is vitiq.backbone(str(path))


def test_a_study_reads_changed_weights(tmp_path: Path) -> None:
    path = write_weights(tmp_path / "mine.safetensors", 0)
    spec = MetricSpec("vit-topk", path)
    before = metrics_of(spec)[0].signature
    write_weights(path, 1)
    forget()
    assert metrics_of(spec)[0].signature != before


def test_texts_name_files_too(tmp_path: Path) -> None:
    calls = []

    @kept(2)
    def load(name: str, size: int = 1) -> int:
        calls.append(name)
        return len(calls) * size

    path = tmp_path / "a.bin"
    path.write_bytes(b"1")
    for name in (str(path), f"pgan:{path}", "embedded"):
        assert load(name) == load(name=name, size=1)
    assert len(calls) == 3
    path.write_bytes(b"22")
    load("embedded")
    assert len(calls) == 3
    load(f"pgan:{path}")
    load(str(path))
    assert len(calls) == 5
