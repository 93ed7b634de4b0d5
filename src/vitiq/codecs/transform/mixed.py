"""Images that hold graphics: whether a layer for those and latents for the rest cost less than latents alone."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from vitiq.codecs.transform.decoder import Decoder
from vitiq.codecs.transform.graphics_layer import covered, filled, find_layer, graphic_blocks
from vitiq.codecs.transform.refine import Coded, code, lagrangian
from vitiq.types import ImageU8

HEADER = 20
"""Bytes that a second section and the container for it take."""


class Parts(NamedTuple):
    """How an image is coded.

    Attributes:
        layer: data of the layer of graphics; None for none.
        remainder: what the latents code; None where the layer covers the image.
        coded: those latents without a search, where they are known already.
    """

    layer: bytes | None
    remainder: ImageU8 | None
    coded: Coded | None = None


def parts_of(decoder: Decoder, image: ImageU8, level: int) -> Parts:
    """The parts of least bits + λ · squared error, of the image as the squared-error synthesis rebuilds it."""
    blocks = graphic_blocks(image)
    if blocks is None:
        return Parts(None, image)
    model, size = decoder.model, (image.shape[0], image.shape[1])
    weight = lagrangian(level) / 3  # λ counts the mean of three colours
    alone = code(model, image, level)
    inside = covered(blocks, *size)
    error = (decoder.image(alone.symbols, level, "mse", size)[inside].astype(np.float32) - image[inside]) ** 2
    most = 8 * (len(alone.data) - HEADER) + weight * float(error.sum(dtype=np.float64))
    layer = find_layer(image, blocks, weight, most)
    if layer is None:
        return Parts(None, image, alone)
    if blocks.all():
        return Parts(layer.data, None)
    remainder = filled(image, blocks)
    below = code(model, remainder, level)
    if layer.cost + 8 * len(below.data) > most:
        return Parts(None, image, alone)
    return Parts(layer.data, remainder, below)
