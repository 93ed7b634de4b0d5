"""Seconds at 768×512 of the codec, of the correction of JPEG artefacts and of the classifier of latents.

A part of its own, as it wants an idle machine and takes a minute: the clock's seconds with two threads, which other
programs prolong, and the processor's with one, which they hardly do.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import torch
from goals import Figure, best, kodak
from goals_deblock import coded, deblocked, luma

from vitiq.codecs.labels import read_rebuilt
from vitiq.codecs.transform.codec import Generative, GenerativeMse
from vitiq.codecs.transform.labels import read_latents
from vitiq.codecs.transform.latent_classifier import load_classifier
from vitiq.models.backbones import load_backbone
from vitiq.types import ImageU8, Quality

THREADS = 2


def works(image: ImageU8) -> Iterator[tuple[str, float | None, Callable[[], object]]]:
    """What is measured, and its goal in seconds."""
    codec, fidelity = Generative(), GenerativeMse()
    data = codec.encode(image, Quality(27))
    yield "generative, quality 27: encode", 1.5, lambda: codec.encode(image, Quality(27))
    yield "generative, quality 27: decode", 0.8, lambda: codec.decode(data)
    yield "generative-mse, quality 27: decode", 0.8, lambda: fidelity.decode(data)
    colour, grey = coded(image, 20), coded(luma(image), 20)
    yield "restore, JPEG quality 20, colour", 0.3, lambda: deblocked(colour)
    yield "restore, JPEG quality 20, grey", None, lambda: deblocked(grey)
    own, classifier, small = load_backbone(), load_classifier(), fidelity.encode(image, Quality(18))
    yield "classify, from the latents", None, lambda: read_latents(fidelity, small, classifier)
    yield "classify, from the rebuilt image", None, lambda: read_rebuilt(fidelity, small, own)


def part(data: Path) -> Iterator[Figure]:
    """Both clocks of each, best of five."""
    image = kodak(data)[0]
    size = f"{image.shape[1]}×{image.shape[0]}"
    before = torch.get_num_threads()
    for name, goal, work in works(image):
        torch.set_num_threads(THREADS)
        seconds, _ = best(work)
        yield Figure(f"{name}: seconds", seconds, goal, at_least=False, unit=" s", note=f"{size}, {THREADS} threads")
        torch.set_num_threads(1)
        seconds, _ = best(work, clock=time.process_time)
        yield Figure(f"{name}: processor's seconds", seconds, unit=" s", note=f"{size}, 1 thread")
    torch.set_num_threads(before)
