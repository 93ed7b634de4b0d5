"""Codecs for tests, registered as a plugin would be: by an entry point of a package on the path, in every process."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import numpy as np

from vitiq.codecs.base import Codec
from vitiq.errors import InputError
from vitiq.metrics.base import PairMetric
from vitiq.types import ImageU8, ProgressCallback, Score

LOG = "VITIQ_TEST_LOG"
GATE = "VITIQ_TEST_GATE"


class Grey(Codec):
    """One byte, the mean level, and what a test wants besides."""

    name, title, extension = "test-grey", "Grey", ".grey"
    qualities, default_quality = (1.0, 2.0, 3.0), 2.0
    quality_help, quality_range = "1-9", (1.0, 9.0, 1.0)

    def compress(self, image: ImageU8, quality: float, progress: ProgressCallback | None = None) -> bytes:
        height, width, _ = image.shape
        return b"GREY" + bytes([width, height, int(image.mean())]) + bytes(int(quality))

    def decompress(self, data: bytes) -> ImageU8:
        return np.full((data[5], data[4], 3), data[6], np.uint8)

    @classmethod
    def detect(cls, data: bytes) -> bool:
        return data.startswith(b"GREY")


class Wrong(Grey):
    """Fails on dark images: with an error of its own, or one of ours."""

    name, title = "test-wrong", "Wrong"

    def compress(self, image: ImageU8, quality: float, progress: ProgressCallback | None = None) -> bytes:
        if image.mean() < 100:
            raise InputError("too dark") if quality == 1 else RuntimeError("no\nlight")
        return super().compress(image, quality, progress)


class Deadly(Grey):
    """Ends its process on dark images, as the system does that has no memory left."""

    name, title = "test-deadly", "Deadly"

    def compress(self, image: ImageU8, quality: float, progress: ProgressCallback | None = None) -> bytes:
        if image.mean() < 100 and quality == 2:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().compress(image, quality, progress)


class Counted(Grey):
    """Where LOG names a file: takes a while without working, and counts by a line of the process's number in it."""

    name, title = "test-counted", "Counted"

    def compress(self, image: ImageU8, quality: float, progress: ProgressCallback | None = None) -> bytes:
        if LOG in os.environ:
            with Path(os.environ[LOG]).open("a") as log:
                log.write(f"{os.getpid()}\n")
            time.sleep(0.08)
        return super().compress(image, quality, progress)


class Held(Grey):
    """The first encode of all processes is done at once; each other waits until the file GATE names is there."""

    name, title = "test-held", "Held"

    def compress(self, image: ImageU8, quality: float, progress: ProgressCallback | None = None) -> bytes:
        gate = Path(os.environ[GATE])
        try:
            gate.with_suffix(".first").touch(exist_ok=False)
        except FileExistsError:
            while not gate.exists():
                time.sleep(0.01)
        return super().compress(image, quality, progress)


class Moody(PairMetric):
    """Breaks down on dark images."""

    name, title, range, higher_is_better = "test-moody", "Moody", (0.0, 1.0), True
    kind, formula, reference = "full-reference", "0.5", "this test"

    def signature(self) -> str:
        return "test-moody|v1"

    def __call__(self, reference: ImageU8, distorted: ImageU8) -> Score:
        if reference.mean() < 100:
            raise ValueError("no\nlight")
        return Score(0.5, self.signature())


def install(folder: Path, version: str = "1.0") -> None:
    """Make the metadata that registers the codecs, in a folder that is on the path."""
    metadata = folder / f"vitiq_tests-{version}.dist-info"
    metadata.mkdir(parents=True)
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: vitiq-tests\nVersion: {version}\n")
    classes = ("Grey", "Wrong", "Deadly", "Counted", "Held")
    lines = [f"test-{name.lower()} = engine_plugin:{name}" for name in classes]
    lines += ["[vitiq.metrics]", "test-moody = engine_plugin:Moody"]
    (metadata / "entry_points.txt").write_text("[vitiq.codecs]\n" + "\n".join(lines) + "\n")
