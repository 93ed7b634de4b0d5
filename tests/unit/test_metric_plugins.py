"""A metric and a backbone from outside, each one module and one entry point.

Truth: the contract in metrics/base.py; the packages are those of examples/plugins, put on the path with the metadata
that an installer would write.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from vitiq import registry
from vitiq.errors import InputError, WeightsError
from vitiq.metrics.scoring import metadata, resolve_metrics, score_pair, score_pairs, to_json
from vitiq.models.backbones import load_backbone
from vitiq.models.vit import VisionTransformer, ViTConfig
from vitiq.types import ImageU8

PLUGINS = Path(__file__).parents[2] / "examples" / "plugins"


@pytest.fixture
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Both packages as if they were installed."""
    found = []
    for name in ("vitiq-gmsd", "vitiq-labelled-vit"):
        project = tomllib.loads((PLUGINS / name / "pyproject.toml").read_text(encoding="utf-8"))["project"]
        info = tmp_path / f"{name.replace('-', '_')}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n", encoding="utf-8")
        lines = []
        for group, entries in project["entry-points"].items():
            lines += [f"[{group}]", *(f"{key} = {value}" for key, value in entries.items())]
        (info / "entry_points.txt").write_text("\n".join(lines), encoding="utf-8")
        found.append(str(PLUGINS / name))
    for path in (*found, str(tmp_path)):
        monkeypatch.syspath_prepend(path)
    return [*found, str(tmp_path)]


@pytest.mark.usefixtures("folders")
def test_a_metric_from_outside(small: ImageU8) -> None:
    assert "gmsd-plugin" in registry.names("metrics")
    (metric,) = resolve_metrics("gmsd-plugin")
    json.dumps(metadata(metric), allow_nan=False)
    assert score_pair(small, small, [metric])["gmsd-plugin"].value == 0
    noisy = np.clip(small + np.random.default_rng(0).normal(0, 20, small.shape), 0, 255).astype(np.uint8)
    found = score_pairs([small, small], [noisy, small], [metric, *resolve_metrics("ssim")])
    assert 0 < found[0]["gmsd-plugin"].value < 0.5
    json.dumps(to_json(found[0]["gmsd-plugin"]), allow_nan=False)
    with pytest.raises(InputError, match="and float64 given as an image"):
        score_pair(small, small.astype(float), [metric])


def test_a_metric_from_outside_in_the_commands(folders: list[str], small: ImageU8, tmp_path: Path) -> None:
    for name in ("a.png", "b.png"):
        Image.fromarray(small).save(tmp_path / name)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(folders)}

    def run(*arguments: str) -> str:
        command = [sys.executable, "-m", "vitiq", *arguments]
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True)
        return done.stdout

    found = json.loads(run("score", "a.png", "b.png", "-m", "gmsd-plugin", "--json"))
    assert found["pairs"][0]["scores"]["gmsd-plugin"]["value"] == 0
    assert "gmsd-plugin" in run("metrics", "list")


@pytest.mark.usefixtures("folders")
def test_a_backbone_from_outside(small: ImageU8, tmp_path: Path) -> None:
    torch.manual_seed(0)
    state = VisionTransformer(ViTConfig(image_size=32, patch=16, width=64, depth=1, heads=1, classes=3)).state_dict()
    torch.save(state, tmp_path / "pets.pth")
    (tmp_path / "pets.txt").write_text("cat\ndog\nhorse\n", encoding="utf-8")
    backbone = load_backbone("vit-labelled", tmp_path / "pets.pth")
    assert backbone.labels == ("cat", "dog", "horse")
    score = score_pair(small, small, resolve_metrics("vit-topk@1", backbone))["vit-topk@1"]
    assert score.value == 1
    assert "vit-labelled:pets" in score.signature
    assert score.details["top1_same"]
    (tmp_path / "pets.txt").write_text("cat\ndog\n", encoding="utf-8")
    with pytest.raises(WeightsError, match="3 outputs, but 2 labels"):
        registry.load("backbones", "vit-labelled")(tmp_path / "pets.pth")
