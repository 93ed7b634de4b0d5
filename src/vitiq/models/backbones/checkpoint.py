"""A backbone from a checkpoint in any of the formats of `formats.py`; its size is read off its tensors."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from vitiq.errors import WeightsError
from vitiq.models.backbones.base import Backbone, Preprocessing
from vitiq.models.backbones.formats import State, read_state, to_timm
from vitiq.models.building import as_alone
from vitiq.models.imagenet import imagenet_labels
from vitiq.models.vit import SIZES, VisionTransformer, ViTConfig, sincos_positions
from vitiq.weights.store import sha256_file

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
HEAD_WIDTH = 64
"""Numbers of an attention head in every published ViT and DeiT but ViT-H, whose 16 heads have 80."""

HEADS = {width: heads for width, _, heads in SIZES.values()}

FIXED_SIZE = 224
"""Side of the input where a checkpoint with fixed positions does not carry them."""


def fixed_positions(state: State) -> State:
    """The tensors, with 2-D sine and cosine positions where the checkpoint leaves them out."""
    if "pos_embed" in state or "patch_embed.proj.weight" not in state:
        return state
    width, _, patch, _ = state["patch_embed.proj.weight"].shape
    prefix = 2 if "dist_token" in state else 1
    return {**state, "pos_embed": sincos_positions(FIXED_SIZE // patch, FIXED_SIZE // patch, width, prefix)}


def are_fixed(positions: Tensor, grid: int) -> bool:
    """True if position embeddings are the 2-D sines and cosines, so that other grids are computed, not interpolated."""
    width, prefix = positions.shape[-1], positions.shape[1] - grid * grid
    return width % 4 == 0 and torch.allclose(positions.float(), sincos_positions(grid, grid, width, prefix), atol=2e-3)


def config_of(state: State, name: str) -> ViTConfig:
    """Shape of the model that tensors under timm's names belong to.

    Raises:
        WeightsError: tensors are missing or do not fit each other.
    """
    try:
        width, _, patch, _ = state["patch_embed.proj.weight"].shape
        prefix = 2 if "dist_token" in state else 1
        positions = state["pos_embed"].shape[1] - prefix
        hidden = state["blocks.0.mlp.fc1.weight"].shape[0]
        classes = state["head.weight"].shape[0]
    except (KeyError, ValueError, IndexError) as error:
        raise WeightsError(f"{name}: a ViT checkpoint lacks {error}; give one with a classification head") from error
    grid = round(positions**0.5)
    depth = max((int(k.split(".")[1]) for k in state if k.startswith("blocks.")), default=-1) + 1
    if grid * grid != positions or width % HEAD_WIDTH:
        raise WeightsError(
            f"{name}: {positions} position embeddings of width {width}; expected a square grid, one class token "
            f"and a width that is a multiple of {HEAD_WIDTH}"
        )
    return ViTConfig(
        image_size=grid * patch,
        patch=patch,
        width=width,
        depth=depth,
        heads=HEADS.get(width, width // HEAD_WIDTH),
        classes=classes,
        mlp_ratio=hidden / width,
        distilled="dist_token" in state,
        positions="sincos" if are_fixed(state["pos_embed"], grid) else "learned",
    )


@as_alone()
def load_checkpoint(path: Path | None = None, *, name: str | None = None) -> Backbone:
    """A backbone from a checkpoint file.

    Preprocessing is mean and standard deviation 0.5 (Dosovitskiy et al.), or ImageNet's for DeiT and torchvision,
    by the file's name and format. A head of other than 1000 classes gets numbered labels.

    Raises:
        WeightsError: missing, damaged, or of no known layout.
    """
    if path is None:
        raise WeightsError("backbone 'vit' needs a checkpoint: give one with --weights PATH")
    path = Path(path)
    form, state = to_timm(read_state(path), str(path))
    state = fixed_positions(state)
    config = config_of(state, str(path))
    model = VisionTransformer(config)
    try:
        model.load_state_dict({k: v.to(torch.float32).contiguous() for k, v in state.items()})
    except RuntimeError as error:
        problem = "; ".join(line.strip() for line in str(error).splitlines()[1:3])
        raise WeightsError(f"{path}: tensors do not fit a {form} ViT of width {config.width}: {problem}") from error
    plain = form != "torchvision" and "deit" not in path.name.lower() and "DeiT" not in form
    mean, std = ((0.5,) * 3, (0.5,) * 3) if plain else (IMAGENET_MEAN, IMAGENET_STD)
    labels = imagenet_labels()
    if config.classes != len(labels):
        labels = tuple(f"class {i}" for i in range(config.classes))
    return Backbone(
        name or path.stem,
        model,
        labels,
        Preprocessing(config.image_size, (mean[0], mean[1], mean[2]), (std[0], std[1], std[2])),
        sha256_file(path),
        path.stat().st_size,
    )
