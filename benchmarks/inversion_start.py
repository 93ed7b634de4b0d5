"""How many iterations the search of `inversion` needs, from the encoder's latents, from zeros and from chance.

    python benchmarks/inversion_start.py IMAGE [IMAGE …] [--bytes 700] [--iterations 4 16 63 125 250]

Prints bytes and PSNR of whole searches of so many iterations each: the schedule of a search depends on its length. The
loss of the search is the squared error, so equal PSNR at equal bytes is equal loss.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import torch
from goals import psnr
from torch import Tensor

from vitiq.codecs.inversion import budget
from vitiq.codecs.inversion.codec import Inversion
from vitiq.codecs.inversion.generators import Generator
from vitiq.codecs.inversion.generators.embedded import EmbeddedGenerator
from vitiq.image.io import read_image
from vitiq.types import Quality

ENCODE = EmbeddedGenerator.encode
SEARCH = budget.search_within
Start = Callable[[EmbeddedGenerator, Tensor], list[Tensor]]


def zeros(generator: EmbeddedGenerator, target: Tensor) -> list[Tensor]:
    """No start at all."""
    return [torch.zeros_like(v) for v in ENCODE(generator, target)]


def chance(generator: EmbeddedGenerator, target: Tensor) -> list[Tensor]:
    """Normal numbers of the spread of the encoder's latents."""
    random = torch.Generator().manual_seed(0)
    return [v.std() * torch.randn(v.shape, generator=random) for v in ENCODE(generator, target)]


STARTS: dict[str, Start] = {
    "encoder": ENCODE,
    "zeros": zeros,
    "chance": chance,
}


@contextmanager
def started(start: Start) -> Iterator[None]:
    """Searches start there; the working resolution is chosen by the encoder all the same."""

    def search_within(generator: Generator, *arguments: Any, **settings: Any) -> bytes:
        with mock.patch.object(EmbeddedGenerator, "encode", start):
            return SEARCH(generator, *arguments, **settings)

    with mock.patch("vitiq.codecs.inversion.budget.search_within", search_within):
        yield


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("images", nargs="+", type=Path)
    parser.add_argument("--bytes", type=int, default=700)
    parser.add_argument("--iterations", nargs="+", type=int, default=[4, 16, 63, 125, 250])
    parser.add_argument("--starts", nargs="+", choices=list(STARTS), default=list(STARTS))
    given = parser.parse_args()
    images = [read_image(path) for path in given.images]
    print(f"{len(images)} images at {given.bytes} bytes\n\n| start | iterations | bytes | dB |\n|---|---:|---:|---:|")
    for name in given.starts:
        for count in given.iterations:
            codec, sizes, found = Inversion(iterations=count), [], []
            for image in images:
                with started(STARTS[name]):
                    data = codec.encode(image, Quality(given.bytes))
                sizes.append(len(data))
                found.append(psnr(image, codec.decode(data)))
            print(f"| {name} | {count} | {np.mean(sizes):.0f} | {np.mean(found):.2f} |", flush=True)


if __name__ == "__main__":
    main()
