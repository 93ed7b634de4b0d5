"""The Vision Transformer against another implementation and against real weights.

Truth: torch.nn.TransformerEncoderLayer (pre-norm, GELU), which shares no code with ours; and the order of the ImageNet
labels, on images one a class in class order. Both checkpoints are known to name 82.7 % and 79.6 % of the 1000
images as labelled.
"""

import io
import tarfile
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file
from torch import nn

from vitiq.models.vit import Block, VisionTransformer, ViTConfig, named_config

EVERY = 16


def test_a_block_equals_torchs_pre_norm_encoder_layer() -> None:
    torch.manual_seed(0)
    config = ViTConfig(width=48, heads=4)
    ours = Block(config).eval()
    theirs = nn.TransformerEncoderLayer(
        48, 4, 192, dropout=0.0, activation="gelu", layer_norm_eps=1e-6, batch_first=True, norm_first=True
    ).eval()
    for norm in (ours.norm1, ours.norm2):
        nn.init.normal_(norm.weight)
        nn.init.normal_(norm.bias)
    names = {
        "norm1": "norm1",
        "norm2": "norm2",
        "attn.qkv": "self_attn.in_proj",
        "attn.proj": "self_attn.out_proj",
        "mlp.fc1": "linear1",
        "mlp.fc2": "linear2",
    }
    state = {}
    for own, other in names.items():
        for kind in ("weight", "bias"):
            joint = "_" if other.endswith("in_proj") else "."
            state[f"{other}{joint}{kind}"] = ours.state_dict()[f"{own}.{kind}"]
    theirs.load_state_dict(state)
    x = torch.randn(2, 11, 48)
    with torch.no_grad():
        torch.testing.assert_close(ours(x), theirs(x), rtol=1e-4, atol=1e-5)


def labelled_images(data: Path, crop: float) -> tuple[torch.Tensor, list[int]]:
    """Every 16th image of the sample, centre crop at 224 px in [0, 1], with its class."""
    with tarfile.open(data / "train" / "imagenet_sample.tar") as archive:
        members = sorted((m for m in archive if m.isfile()), key=lambda m: m.name)
        assert len(members) == 1000
        images, labels = [], list(range(0, 1000, EVERY))
        for label in labels:
            file = archive.extractfile(members[label])
            assert file is not None
            image = Image.open(io.BytesIO(file.read())).convert("RGB")
            scale = 224 / crop / min(image.size)
            width, height = (round(side * scale) for side in image.size)
            image = image.resize((width, height), Image.Resampling.BICUBIC)
            left, top = (width - 224) // 2, (height - 224) // 2
            images.append(np.asarray(image.crop((left, top, left + 224, top + 224))))
    return torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2).float() / 255, labels


def accuracy(model: VisionTransformer, x: torch.Tensor, labels: list[int]) -> float:
    with torch.no_grad():
        return float((model(x).argmax(1) == torch.tensor(labels)).float().mean())


def load(data: Path, name: str) -> VisionTransformer:
    model = VisionTransformer(named_config(name)).eval()
    model.load_state_dict(load_file(data / "weights" / f"{name}.safetensors"))
    return model


def test_real_vit_tiny_names_real_images(vitiq_data: Path) -> None:
    model = load(vitiq_data, "vit_tiny_patch16_224.augreg_in21k_ft_in1k")
    x, labels = labelled_images(vitiq_data, crop=0.9)
    assert accuracy(model, x * 2 - 1, labels) >= 0.75
    larger = nn.functional.interpolate(x, size=(256, 288), mode="bicubic", antialias=True).clamp(0, 1)
    assert accuracy(model, larger[::4] * 2 - 1, labels[::4]) >= 0.6, "interpolated position embeddings"


def test_real_deit_tiny_names_real_images(vitiq_data: Path) -> None:
    model = load(vitiq_data, "deit_tiny_patch16_224")
    x, labels = labelled_images(vitiq_data, crop=0.875)
    mean = torch.tensor([0.485, 0.456, 0.406])[:, None, None]
    deviation = torch.tensor([0.229, 0.224, 0.225])[:, None, None]
    assert accuracy(model, (x - mean) / deviation, labels) >= 0.7


@pytest.mark.parametrize("name", ["vit_tiny_patch16_224.augreg_in21k_ft_in1k", "deit_tiny_patch16_224"])
def test_a_checkpoint_of_another_depth_is_not_taken(vitiq_data: Path, name: str) -> None:
    tensors = load_file(vitiq_data / "weights" / f"{name}.safetensors")
    with pytest.raises(RuntimeError, match=r"blocks\.11"):
        VisionTransformer(ViTConfig(depth=11)).load_state_dict(tensors)
