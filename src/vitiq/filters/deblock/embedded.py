"""The networks of the correction from a weights file, the one that ships with vitiq by default."""

from __future__ import annotations

import hashlib
from pathlib import Path

import torch

from vitiq.errors import WeightsError
from vitiq.filters.deblock.network import Corrector
from vitiq.models.building import as_alone
from vitiq.weights.file import in_float, read_weights
from vitiq.weights.kept import kept

FORMAT = "vitiq-deblock-1"
WEIGHTS = Path(__file__).parents[2] / "weights" / "deblock_embedded.safetensors"


class EmbeddedCorrector:
    """Networks of the correction, frozen.

    Args:
        path: weights in safetensors.
        device: where the networks run; None for the CPU.

    Attributes:
        model: the networks.
        weights_sha256, weights_bytes: of the file.
        steps_trained: optimiser steps behind the weights.

    Raises:
        WeightsError: the file is missing, damaged or of another format.
    """

    @as_alone()
    def __init__(self, path: Path = WEIGHTS, device: torch.device | None = None) -> None:
        tensors, metadata = read_weights(path, FORMAT, "deblock")
        data = path.read_bytes()
        self.weights_sha256 = hashlib.sha256(data).hexdigest()
        self.weights_bytes = len(data)
        self.steps_trained = int(str(metadata.get("steps", 0)))
        self.model = Corrector()
        try:
            self.model.load_state_dict(in_float(tensors))
        except RuntimeError as error:
            raise WeightsError(
                f"{path}: tensors do not fit the correction of JPEG artefacts ({str(error).splitlines()[0]}); "
                f"reinstall vitiq or train the file again with `vitiq train deblock`"
            ) from error
        self.model.requires_grad_(False)
        self.model.eval().to(device)


@kept(2)
def load_corrector(path: Path = WEIGHTS, device: torch.device | None = None) -> EmbeddedCorrector:
    """The networks of a weights file on a device, read once; the last two are kept.

    Raises:
        WeightsError: as `EmbeddedCorrector`.
    """
    return EmbeddedCorrector(path, device)
