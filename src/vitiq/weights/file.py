"""Weights files of vitiq's own formats: safetensors with a JSON object about them in the metadata."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from vitiq.errors import WeightsError, first_line
from vitiq.files import write_bytes
from vitiq.text import parse_json
from vitiq.weights.checkpoint import check_header, read_safetensors, refuse_wrong_kind
from vitiq.weights.store import sha256_file

KEY = "vitiq_config"
"""Entry of a file's metadata, a JSON object."""

SCALE = ".scale"
"""Ending of the name of the scales that belong to 8-bit rows."""


def read_weights(path: Path, form: str, model: str) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Tensors and metadata of a weights file.

    Args:
        form: format that the metadata must name.
        model: as `vitiq train` calls it.

    Raises:
        WeightsError: the file is missing, damaged or of another format.
    """
    fix = f"reinstall vitiq, or give a file written by `vitiq train {model}`"
    try:
        tensors, stored = read_safetensors(path)
        metadata = _parsed(stored)
    except FileNotFoundError as error:
        raise WeightsError(f"{path}: {model} weights are missing; {fix}") from error
    except (SafetensorError, OSError, ValueError) as error:
        raise WeightsError(f"{path}: not a readable safetensors file ({error}); {fix}") from error
    if metadata.get("format") != form:
        raise WeightsError(f"{path}: format {metadata.get('format')!r} given, {form!r} expected; {fix}")
    return tensors, metadata


def steps_behind(path: Path | None, kind: str = "steps") -> int:
    """Optimiser steps behind a weights file that a training starts from; 0 for no file or one that names none.

    Raises:
        WeightsError: the file cannot be read.
    """
    if path is None:
        return 0
    try:
        with safe_open(str(path), framework="pt") as file:
            return int(_parsed(file.metadata()).get(kind, 0))
    except (SafetensorError, OSError, ValueError, TypeError) as error:
        raise WeightsError(f"{path}: not readable weights ({error}); give a file of `vitiq train`") from error


def format_of(path: Path) -> str | None:
    """The format that a weights file names; None where it names none or cannot be read."""
    try:
        with safe_open(str(path), framework="pt") as file:
            form = _parsed(file.metadata()).get("format")
    except (SafetensorError, OSError, ValueError):
        return None
    return form if isinstance(form, str) else None


def described(path: Path) -> dict[str, object]:
    """What a weights file says of itself: path, format, sha256, bytes, and the metadata of a safetensors file.

    The format is the one that vitiq's own files name; None for other files.

    Raises:
        WeightsError: it is no weights file, or cannot be read.
    """
    metadata: dict[str, Any] = {}
    try:
        if path.suffix == ".safetensors":
            check_header(path)
            with safe_open(str(path), framework="pt") as file:
                metadata = dict(file.metadata() or {})
            metadata |= _parsed(metadata)
            metadata.pop(KEY, None)
        else:
            refuse_wrong_kind(path)
        found = {"sha256": sha256_file(path), "bytes": path.stat().st_size}
    except (SafetensorError, OSError, ValueError) as error:
        raise WeightsError(f"{path}: not a readable weights file ({first_line(error)}); copy it again") from error
    return {"path": str(path), "format": metadata.pop("format", None), **found, "metadata": metadata}


def _parsed(metadata: Mapping[str, str] | None) -> dict[str, Any]:
    """The one place where a file's metadata is read: what `write_weights` wrote; ValueError for anything else."""
    values = parse_json((metadata or {}).get(KEY, "{}"))
    if not isinstance(values, dict):
        raise ValueError(f"metadata {KEY} is no JSON object")
    return values


def write_weights(path: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, object]) -> None:
    """Write a weights file atomically."""
    write_bytes(path, save(dict(tensors), metadata={KEY: json.dumps(metadata, sort_keys=True)}))


def eight_bit(name: str, value: Tensor) -> dict[str, Tensor]:
    """A matrix or kernel as 8-bit whole numbers, and a half-precision scale for each of its outputs."""
    largest = value.abs().flatten(1).amax(dim=1).view(-1, *[1] * (value.ndim - 1))
    scale = (largest / 127).clamp_min(1e-6).cpu().to(torch.float16)
    whole = torch.round(value.cpu() / scale.float()).clamp(-127, 127).to(torch.int8)
    return {name: whole.contiguous(), name + SCALE: scale}


def half(name: str, value: Tensor) -> dict[str, Tensor]:
    """A tensor in half precision."""
    return {name: value.cpu().to(torch.float16).contiguous()}


def stored(name: str, value: Tensor) -> dict[str, Tensor]:
    """A tensor of a convolutional network as a file holds it: residual blocks in 8 bits, all else in half precision."""
    return (eight_bit if name.endswith((".first.weight", ".second.weight")) else half)(name, value)


def in_float(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors as they were, in float32: 8-bit rows times their scales."""
    return {
        name: value.float() * tensors[name + SCALE].float() if name + SCALE in tensors else value.float()
        for name, value in tensors.items()
        if not name.endswith(SCALE)
    }
