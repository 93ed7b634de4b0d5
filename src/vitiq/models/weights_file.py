"""Weights files of vitiq's own formats: safetensors with the facts about them in the metadata."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from vitiq.errors import WeightsError


def read_weights(path: Path, form: str, model: str) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Tensors and facts of a weights file.

    Args:
        form: format that the facts must name.
        model: as `vitiq train` calls it.

    Raises:
        WeightsError: the file is missing, damaged or of another format.
    """
    fix = f"reinstall vitiq, or give a file written by `vitiq train {model}`"
    try:
        with safe_open(str(path), framework="pt") as file:
            facts = json.loads((file.metadata() or {}).get("vitiq_config", "{}"))
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except FileNotFoundError as error:
        raise WeightsError(f"{path}: {model} weights are missing; {fix}") from error
    except (SafetensorError, OSError, ValueError) as error:
        raise WeightsError(f"{path}: not a readable safetensors file ({error}); {fix}") from error
    if facts.get("format") != form:
        raise WeightsError(f"{path}: format {facts.get('format')!r} given, {form!r} expected; {fix}")
    return tensors, facts


def write_weights(path: Path, tensors: Mapping[str, Tensor], facts: Mapping[str, object]) -> None:
    """Write a weights file whole or not at all (a temporary file, then a rename)."""
    temporary = path.with_suffix(".tmp")
    save_file(dict(tensors), temporary, metadata={"vitiq_config": json.dumps(facts, sort_keys=True)})
    temporary.replace(path)
