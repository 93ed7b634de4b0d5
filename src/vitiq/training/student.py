"""The embedded ViT as a student: blocks of a teacher to start from, and its weights file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from itertools import pairwise
from pathlib import Path
from typing import Annotated

import msgspec
import torch
from torch import nn

from vitiq.errors import WeightsError
from vitiq.models.backbones.checkpoint import are_fixed
from vitiq.models.vit import Positions, VisionTransformer, ViTConfig
from vitiq.weights.checkpoint import checked_tensors, read_checkpoint
from vitiq.weights.file import half, write_weights

FORMAT = "vitiq-vit-1"

Blocks = Annotated[tuple[Annotated[int, msgspec.Meta(ge=0, le=ViTConfig().depth - 1)], ...], msgspec.Meta(min_length=1)]
"""Numbers of a teacher's blocks, as a setting."""


def check_blocks(kept: Sequence[int]) -> None:
    """Refuse blocks of a teacher that are not in its order, each once.

    Raises:
        ValueError: they are not.
    """
    if any(a >= b for a, b in pairwise(kept)):
        raise ValueError(f"kept_blocks = {list(kept)} given, rising numbers expected")


def prune(teacher: VisionTransformer, kept: Sequence[int], positions: Positions = "learned") -> VisionTransformer:
    """A student with the teacher's embeddings, head and the kept blocks.

    Args:
        teacher: with learned positions.
        kept: its blocks.
        positions: "sincos" for fixed positions in place of the teacher's.
    """
    config = replace(teacher.config, depth=len(kept), positions=positions)
    student = VisionTransformer(config)
    state = {k: v for k, v in teacher.state_dict().items() if not k.startswith("blocks.")}
    if positions == "sincos":
        # What the class token learned at its place belongs to it; fixed positions have nothing there.
        state["cls_token"] = state["cls_token"] + state["pos_embed"][:, :1]
        state["pos_embed"] = student.pos_embed.detach()
    for new, old in enumerate(kept):
        prefix = f"blocks.{old}."
        for name, value in teacher.state_dict().items():
            if name.startswith(prefix):
                state[f"blocks.{new}.{name[len(prefix) :]}"] = value
    student.load_state_dict(state)
    return student


def matched_blocks(kept: Sequence[int], depth: int) -> list[int]:
    """Teacher block whose output each student block should reach: the one before the next kept block."""
    return [following - 1 for following in kept[1:]] + [depth - 1]


def start_from(student: VisionTransformer, path: Path) -> None:
    """Give a student the weights of an exported file.

    Raises:
        WeightsError: the file cannot be used.
    """
    try:
        state = {name: value.float() for name, value in checked_tensors(path, read_checkpoint(path)).items()}
        student.load_state_dict(state)
        fixed = are_fixed(state["pos_embed"], student.config.grid)
    except RuntimeError as error:
        reason = str(error).splitlines()[0]
        raise WeightsError(
            f"{path}: not weights of this student ({reason}); give a file of `vitiq train vit`"
        ) from error
    if fixed != (student.config.positions == "sincos"):
        given = "sincos" if fixed else "learned"
        raise WeightsError(f'{path}: positions are {given}; set positions = "{given}", or begin from other weights')


def set_dropout(network: nn.Module, share: float) -> None:
    """Share of numbers that a network drops in training: of embedded tokens, after attention and within MLPs."""
    for module in network.modules():
        if isinstance(module, nn.Dropout):
            module.p = share


def export_weights(student: VisionTransformer, steps: int, path: Path) -> None:
    """Write the student in half precision with its configuration in the metadata."""
    tensors: dict[str, torch.Tensor] = {}
    for name, value in student.state_dict().items():
        tensors |= half(name, value)
    metadata = {
        "format": FORMAT,
        "config": asdict(student.config),
        "labels": "imagenet-1k",
        "mean": [0.5, 0.5, 0.5],
        "std": [0.5, 0.5, 0.5],
        "steps": steps,
    }
    write_weights(path, tensors, metadata)
