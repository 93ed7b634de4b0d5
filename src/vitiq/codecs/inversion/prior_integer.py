"""The prior that coding uses: integer arithmetic only, so that encoder and decoder agree on any machine.

The float network of `prior.py` is rounded to fixed point (10 fractional bits) once, when the weights are
exported; its logistic distributions are tabulated as integer frequencies for a ladder of scales and
eight offsets of the mean. A decoder adds, multiplies and shifts int64 numbers and looks tables up: no float.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Int64

from vitiq.codecs.logistic import (
    FRACTION,
    REACH,
    frequency_tables,
    mean_and_offset,
    read_tables,
    scale_index,
)

CLIP = 8
"""Neighbours are clipped to ±CLIP before the network reads them."""


def export_prior(prior: Any) -> dict[str, np.ndarray]:
    """Integer tensors of a trained `LatentPrior`, and the frequency tables, for the weights file."""
    one = 2**FRACTION
    tensors: dict[str, np.ndarray] = {"tables": frequency_tables().astype(np.int32)}
    for index, layer in enumerate(prior.layers):
        causal = layer.causal.weight.detach().cpu().numpy()
        parts = {
            # left, upper left, above, upper right
            "causal": np.stack([causal[:, :, 1, 0], causal[:, :, 0, 0], causal[:, :, 0, 1], causal[:, :, 0, 2]]),
            "causal_bias": layer.causal.bias.detach().cpu().numpy(),
            "step": layer.step.detach().cpu().numpy(),
            "hidden": layer.hidden.weight.detach().cpu().numpy()[:, :, 0, 0],
            "hidden_bias": layer.hidden.bias.detach().cpu().numpy(),
            "out": layer.out.weight.detach().cpu().numpy()[:, :, 0, 0],
            "out_bias": layer.out.bias.detach().cpu().numpy(),
        }
        if layer.parent is not None:
            parts["parent"] = layer.parent.weight.detach().cpu().numpy()
            parts["parent_bias"] = layer.parent.bias.detach().cpu().numpy()
        for name, value in parts.items():
            tensors[f"{index}.{name}"] = np.rint(value.astype(np.float64) * one).astype(np.int32)
    return tensors


class IntegerLayerPrior:
    """Integer twin of one `LayerPrior`.

    Args:
        tensors: the layer's integer tensors as `export_prior` names them.
    """

    def __init__(self, tensors: Mapping[str, np.ndarray]) -> None:
        t = {name: value.astype(np.int64) for name, value in tensors.items()}
        width = t["causal_bias"].shape[0]
        self.channels = t["out"].shape[0] // 2
        # One matrix for the four neighbours: (4·C) -> width.
        self._causal = np.ascontiguousarray(t["causal"].transpose(0, 2, 1).reshape(4 * self.channels, width))
        self._bias, self._step = t["causal_bias"], t["step"]
        self._parent, self._parent_bias = t.get("parent"), t.get("parent_bias")
        self._hidden, self._hidden_bias = np.ascontiguousarray(t["hidden"].T), t["hidden_bias"] << FRACTION
        self._out, self._out_bias = np.ascontiguousarray(t["out"].T), t["out_bias"] << FRACTION

    def context(
        self, parent: Int64[np.ndarray, "p i j"] | None, log_step: int, height: int, width: int
    ) -> Int64[np.ndarray, "height width hidden"]:
        """The part of the first activation that is known before the layer is decoded.

        Args:
            parent: symbols of the next coarser layer (height/2 × width/2), None for the coarsest.
            log_step: natural logarithm of the quantisation step in fixed point.
        """
        units = len(self._bias)
        base = self._bias + ((self._step * log_step) >> FRACTION)
        result = np.broadcast_to(base, (height, width, units)).copy()
        if parent is None or self._parent is None or self._parent_bias is None:
            return result
        padded = np.pad(np.clip(parent, -CLIP, CLIP), ((0, 0), (1, 1), (1, 1)))
        i, j = parent.shape[1:]
        total = np.zeros((4 * units, i, j), dtype=np.int64) + self._parent_bias[:, None, None]
        for dy in range(3):
            for dx in range(3):
                total += np.einsum("op,pij->oij", self._parent[:, :, dy, dx], padded[:, dy : dy + i, dx : dx + j])
        shuffled = total.reshape(units, 2, 2, i, j).transpose(3, 1, 4, 2, 0).reshape(2 * i, 2 * j, units)
        return np.asarray(result + shuffled[:height, :width])

    def predict(
        self, context: Int64[np.ndarray, "*grid hidden"], neighbours: Int64[np.ndarray, "*grid four_c"]
    ) -> tuple[Int64[np.ndarray, "*grid c"], Int64[np.ndarray, "*grid c"], Int64[np.ndarray, "*grid c"]]:
        """For each channel of each position: integer part of the mean, its offset, and the index of the scale.

        Args:
            context: `context()` at these positions.
            neighbours: symbols at left, upper left, above, upper right, C numbers each, clipped to ±CLIP.
        """
        x = np.maximum(context + neighbours @ self._causal, 0)
        x = np.maximum((x @ self._hidden + self._hidden_bias) >> FRACTION, 0)
        x = (x @ self._out + self._out_bias) >> FRACTION
        return *mean_and_offset(x[..., : self.channels], REACH), scale_index(x[..., self.channels :])


class IntegerPrior:
    """The integer prior of all layers, with its frequency tables.

    Args:
        tensors: tensors of a weights file, without their `integer_prior.` prefix.
        channels: channels of each layer, coarsest first.

    Attributes:
        layers: one `IntegerLayerPrior` a layer.
        tables: frequencies, SCALES × OFFSETS × (2·REACH + 2): symbols -REACH … REACH around the integer part of
            the mean, then one escape; each row sums to 2**PRECISION, every entry is at least 1.
    """

    def __init__(self, tensors: Mapping[str, np.ndarray], channels: Sequence[int]) -> None:
        self.tables = read_tables(tensors["tables"])
        self.layers = []
        for index, count in enumerate(channels):
            prefix = f"{index}."
            layer = IntegerLayerPrior({k[len(prefix) :]: v for k, v in tensors.items() if k.startswith(prefix)})
            if layer.channels != count:
                raise ValueError(f"prior of layer {index} has {layer.channels} channels, {count} expected")
            self.layers.append(layer)


def log_step(index: int) -> int:
    """Fixed-point natural logarithm of quantisation step number `index` (0 … 255), a ladder of 1/16 nat."""
    return (index - 128) * (1 << FRACTION) // 16


def step_size(index: int) -> float:
    """Quantisation step number `index`: exp((index - 128) / 16)."""
    return math.exp((index - 128) / 16)
