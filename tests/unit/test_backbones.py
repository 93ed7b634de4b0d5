"""Checkpoint formats of Vision Transformers.

Truth: the key layouts of transformers' ViTForImageClassification, torchvision's vit_b_16 and pytorch_pretrained_vit's
B_16, written out here from a random model; a checkpoint in any of them must give the logits of its model.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from vitiq.errors import WeightsError
from vitiq.models.backbones import load_backbone
from vitiq.models.backbones.checkpoint import load
from vitiq.models.vit import VisionTransformer, ViTConfig
from vitiq.types import ImageU8

State = dict[str, Tensor]
CONFIG = ViTConfig(image_size=32, patch=16, width=64, depth=2, heads=1, classes=1000)


def timm_state() -> State:
    torch.manual_seed(0)
    return VisionTransformer(CONFIG).state_dict()


def hugging_face(s: State) -> State:
    out = {
        "vit.embeddings.cls_token": s["cls_token"],
        "vit.embeddings.position_embeddings": s["pos_embed"],
        "vit.embeddings.patch_embeddings.projection.weight": s["patch_embed.proj.weight"],
        "vit.embeddings.patch_embeddings.projection.bias": s["patch_embed.proj.bias"],
    }
    for kind in ("weight", "bias"):
        out[f"vit.layernorm.{kind}"], out[f"classifier.{kind}"] = s[f"norm.{kind}"], s[f"head.{kind}"]
        for i in range(2):
            a, b = f"vit.encoder.layer.{i}.", f"blocks.{i}."
            for part, value in zip(("query", "key", "value"), s[f"{b}attn.qkv.{kind}"].chunk(3), strict=True):
                out[f"{a}attention.attention.{part}.{kind}"] = value.clone()
            out[f"{a}attention.output.dense.{kind}"] = s[f"{b}attn.proj.{kind}"]
            out[f"{a}intermediate.dense.{kind}"] = s[f"{b}mlp.fc1.{kind}"]
            out[f"{a}output.dense.{kind}"] = s[f"{b}mlp.fc2.{kind}"]
            out[f"{a}layernorm_before.{kind}"] = s[f"{b}norm1.{kind}"]
            out[f"{a}layernorm_after.{kind}"] = s[f"{b}norm2.{kind}"]
    return out


def torchvision(s: State) -> State:
    out = {"class_token": s["cls_token"], "encoder.pos_embedding": s["pos_embed"]}
    for kind in ("weight", "bias"):
        out[f"conv_proj.{kind}"] = s[f"patch_embed.proj.{kind}"]
        out[f"encoder.ln.{kind}"], out[f"heads.head.{kind}"] = s[f"norm.{kind}"], s[f"head.{kind}"]
        for i in range(2):
            a, b = f"encoder.layers.encoder_layer_{i}.", f"blocks.{i}."
            out[f"{a}self_attention.in_proj_{kind}"] = s[f"{b}attn.qkv.{kind}"]
            out[f"{a}self_attention.out_proj.{kind}"] = s[f"{b}attn.proj.{kind}"]
            out[f"{a}ln_1.{kind}"], out[f"{a}ln_2.{kind}"] = s[f"{b}norm1.{kind}"], s[f"{b}norm2.{kind}"]
            out[f"{a}mlp.0.{kind}"], out[f"{a}mlp.3.{kind}"] = s[f"{b}mlp.fc1.{kind}"], s[f"{b}mlp.fc2.{kind}"]
    return out


def pretrained_vit(s: State) -> State:
    out = {"class_token": s["cls_token"], "positional_embedding.pos_embedding": s["pos_embed"]}
    for kind in ("weight", "bias"):
        out[f"patch_embedding.{kind}"] = s[f"patch_embed.proj.{kind}"]
        out[f"norm.{kind}"], out[f"fc.{kind}"] = s[f"norm.{kind}"], s[f"head.{kind}"]
        for i in range(2):
            a, b = f"transformer.blocks.{i}.", f"blocks.{i}."
            for part, value in zip("qkv", s[f"{b}attn.qkv.{kind}"].chunk(3), strict=True):
                out[f"{a}attn.proj_{part}.{kind}"] = value.clone()
            out[f"{a}proj.{kind}"] = s[f"{b}attn.proj.{kind}"]
            for name in ("norm1", "norm2"):
                out[f"{a}{name}.{kind}"] = s[f"{b}{name}.{kind}"]
            for name in ("fc1", "fc2"):
                out[f"{a}pwff.{name}.{kind}"] = s[f"{b}mlp.{name}.{kind}"]
    return out


@pytest.mark.parametrize("layout", [hugging_face, pretrained_vit, torchvision])
def test_formats_give_the_same_logits(tmp_path: Path, small: ImageU8, layout: Callable[[State], State]) -> None:
    state = timm_state()
    save_file(state, tmp_path / "timm.safetensors")
    torch.save({"state_dict": layout(state)}, tmp_path / "other.pth")
    expected, found = load(tmp_path / "timm.safetensors"), load(tmp_path / "other.pth")
    if layout is torchvision:  # published with ImageNet's mean and deviation
        assert found.preprocessing.mean == (0.485, 0.456, 0.406)
        found = type(found)(
            "same", found._model, found.labels, expected.preprocessing, found.weights_sha256, found.weights_bytes
        )
    assert torch.equal(torch.from_numpy(found.logits([small])), torch.from_numpy(expected.logits([small])))
    assert found.image_size == 32


def test_bad_weights_are_told(tmp_path: Path) -> None:
    good = tmp_path / "good.safetensors"
    save_file(timm_state(), good)
    (tmp_path / "cut.safetensors").write_bytes(good.read_bytes()[:5000])
    (tmp_path / "empty.pth").write_bytes(b"")
    (tmp_path / "text.pth").write_text("not weights")
    torch.save({"conv.weight": torch.zeros(2)}, tmp_path / "other.pth")
    for name in ("cut.safetensors", "empty.pth", "text.pth", "other.pth", "gone.pth"):
        with pytest.raises(WeightsError, match=name):
            load(tmp_path / name)


def test_the_embedded_vit_reads_the_cat(bundled: dict[str, ImageU8]) -> None:
    backbone = load_backbone()
    best = {backbone.labels[i] for i in backbone.logits([bundled["animal"]])[0].argsort()[-5:]}
    assert best & {"tabby", "tiger cat", "Egyptian cat"}
    assert len(backbone.labels) == 1000
