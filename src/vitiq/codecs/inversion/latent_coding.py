"""The generator's own entropy model of layered latents, bound to one image's layers and step.

Positions are coded row by row, coarsest layer first; all channels of a position at once, each with the table that
the prior picks from what is already coded.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Int64

from vitiq.codecs import entropy_coding
from vitiq.codecs.entropy_coding import Code, EntropyModel, Layer, SymbolGroup
from vitiq.codecs.inversion.prior_integer import CLIP, IntegerPrior, log_step

Shape = tuple[int, int, int]
"""Channels, height, width of a layer."""


class LayeredEntropyModel:
    """`IntegerPrior` at work on layers of the given shapes, as an `EntropyModel`.

    Args:
        step: number of the quantisation step, which the prior reads.
    """

    exact = True

    def __init__(self, prior: IntegerPrior, shapes: Sequence[Shape], step: int) -> None:
        self._prior, self._shapes, self._step, self.tables = prior, shapes, step, prior.tables

    def walk(self, code: Code, known: Sequence[Layer] | None = None) -> tuple[Layer, ...]:
        """Position by position; a layer at once where all symbols are known, in the same order."""
        layers: list[Layer] = []
        for number, (layer, shape) in enumerate(zip(self._prior.layers, self._shapes, strict=True)):
            context = layer.context(layers[-1] if layers else None, log_step(self._step), *shape[1:])
            if known is None:
                layers.append(self._by_position(number, context, code))
            else:
                layers.append(self._whole(number, context, known[number], code))
        return tuple(layers)

    def _whole(self, number: int, context: np.ndarray, values: Layer, code: Code) -> Layer:
        channels, height, width = self._shapes[number]
        padded = np.pad(values, ((0, 0), (1, 1), (1, 1)))
        picked = self._prior.layers[number].predict(context, _neighbours(padded))
        mean, offset, scale = (part.reshape(height * width, channels) for part in picked)
        group = SymbolGroup(number, slice(0, channels), np.arange(height * width), mean, offset, scale)
        return np.ascontiguousarray(code(group).T).reshape(channels, height, width)

    def _by_position(self, number: int, context: np.ndarray, code: Code) -> Layer:
        channels, height, width = self._shapes[number]
        layer = self._prior.layers[number]
        padded = np.zeros((height + 2, width + 2, channels), dtype=np.int64)
        clipped = np.zeros_like(padded)
        for y in range(height):
            for x in range(width):
                near = (clipped[y + 1, x], clipped[y, x], clipped[y, x + 1], clipped[y, x + 2])
                mean, offset, scale = layer.predict(context[y, x], np.concatenate(near))
                at = np.array([y * width + x])
                (values,) = code(SymbolGroup(number, slice(0, channels), at, mean[None], offset[None], scale[None]))
                padded[y + 1, x + 1] = values
                clipped[y + 1, x + 1] = np.clip(values, -CLIP, CLIP)
        return np.ascontiguousarray(padded[1:-1, 1:-1].transpose(2, 0, 1))


def _neighbours(padded: Int64[np.ndarray, "c h2 w2"]) -> Int64[np.ndarray, "h w four_c"]:
    """Left, upper left, above, upper right of every position of a layer padded by one on each side."""
    clipped = np.clip(padded, -CLIP, CLIP)
    parts = [clipped[:, 1:-1, :-2], clipped[:, :-2, :-2], clipped[:, :-2, 1:-1], clipped[:, :-2, 2:]]
    return np.concatenate(parts, axis=0).transpose(1, 2, 0)


def encode_latents(symbols: Sequence[Layer], model: EntropyModel) -> bytes:
    """Code all layers.

    Args:
        symbols: one array a layer, coarsest first, within ±32767.
    """

    def choose(group: SymbolGroup) -> Int64[np.ndarray, "n c"]:
        values = symbols[group.layer]
        return values.reshape(len(values), -1).T[group.positions, group.channels]

    return entropy_coding.encode(model, choose, symbols)[0]


def decode_latents(data: bytes, model: EntropyModel) -> list[Layer]:
    """Inverse of `encode_latents`.

    Raises:
        BitstreamError: the bytes are damaged.
    """
    return list(entropy_coding.decode(data, model))
