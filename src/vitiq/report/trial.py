"""Images that a person drops into `vitiq view`, and the files made of them: a small study in a temporary folder."""

from __future__ import annotations

import hashlib
import html
import math
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from vitiq import registry
from vitiq.codecs.base import Codec, notes_of
from vitiq.codecs.spec import make_codec
from vitiq.errors import InputError, VitiqError
from vitiq.evaluation.inputs import decode_noted
from vitiq.evaluation.record import Record
from vitiq.evaluation.worker import map_bytes
from vitiq.image.io import decode_image, read_image, write_png
from vitiq.report.source import Files, Study, visible
from vitiq.types import ImageU8, Quality

if TYPE_CHECKING:
    from vitiq.metrics.base import Metric

LARGEST = 64_000_000
"""Bytes of a dropped file at most."""
MOST = 60
"""Images kept, and reconstructions; the oldest go first."""
METRICS = "default"


@dataclass(frozen=True, slots=True)
class _Dropped:
    """An image on disk: its pixels' sha256, width and height, bytes of the file it came as."""

    path: Path
    pixels: str
    size: tuple[int, int]
    bytes: int


class Trial:
    """Dropped images and what was made of them. Every method may be called from any thread.

    Images are kept on disk and worked on one at a time, so that memory is bounded by the largest of them.
    """

    def __init__(self) -> None:
        self._temporary = tempfile.TemporaryDirectory(prefix="vitiq-view-")
        self.folder = Path(self._temporary.name)
        self._lock = threading.Lock()
        self._working = threading.RLock()
        self._images: dict[str, _Dropped] = {}
        self._records: list[tuple[Record, Files]] = []
        self._metrics: list[Metric] | None = None
        self._changes = 0

    @property
    def version(self) -> str:
        """Changes whenever something is added."""
        return str(self._changes)

    def close(self) -> None:
        """Remove everything."""
        self._temporary.cleanup()

    def study(self) -> Study:
        """What was made so far."""
        with self._lock:
            return Study("your own images", list(self._records))

    def add(self, name: str, data: bytes) -> dict[str, Any]:
        """Take an image.

        Raises:
            InputError: it cannot be read.
        """
        name = visible(name)
        with self._working:
            image, notes = decode_image(data, name)
            path = self.folder / f"{hashlib.sha256(data).hexdigest()[:24]}.png"
            write_png(path, image)
            found = _Dropped(path, _sha(image), (image.shape[1], image.shape[0]), len(data))
            with self._lock:
                while name in self._images and self._images[name].pixels != found.pixels:
                    name += "'"
                self._images[name] = found
                while len(self._images) > MOST:
                    self._forget(next(iter(self._images)))
        return {"image": name, "width": image.shape[1], "height": image.shape[0], "bytes": len(data), "notes": notes}

    def pair(self, name: str, data: bytes, original: str) -> dict[str, Any]:
        """Take an image, or a file of any registered codec, that somebody else made of one dropped before.

        Raises:
            InputError: it cannot be read, or has another size.
        """
        with self._working:
            size = self._original(original).size
            rebuilt, notes = decode_noted(data, name)
            given = (rebuilt.shape[1], rebuilt.shape[0])
            if given != size:
                sizes = " and ".join(f"{width}×{height}" for width, height in (size, given))
                raise InputError(f"images of {sizes} pixels given, two of one size expected; resize one of them")
            return self._scored(
                original, rebuilt, data, ("given", f"given: {visible(name)}", 0.0, math.nan, math.nan), [*notes]
            )

    def encode(self, original: str, codec: str, quality: float) -> dict[str, Any]:
        """Compress a dropped image.

        Raises:
            InputError: no such image, or a quality the codec does not have.
            UnknownNameError: no such codec.
        """
        with self._working:
            image = read_image(self._original(original).path)
            made: Codec = registry.make("codecs", codec)
            start = time.perf_counter()
            data = made.encode(image, Quality(quality))
            middle = time.perf_counter()
            rebuilt = made.decode(data)
            times = (middle - start, time.perf_counter() - middle)
            return self._scored(
                original, rebuilt, data, (codec, made.title, quality, *times), list(notes_of(made, data))
            )

    def _forget(self, name: str) -> None:
        """Remove an image, and what was made of it; the lock is held."""
        gone = self._images.pop(name)
        self._keep([item for item in self._records if item[0].image != name])
        if all(other.path != gone.path for other in self._images.values()):
            gone.path.unlink(missing_ok=True)

    def _keep(self, records: list[tuple[Record, Files]]) -> None:
        """Take these for what was made, and remove the files of the others; the lock is held."""
        kept = {path for _, files in records for path in (files.reconstruction, files.map)}
        for _, files in self._records:
            for path in (files.reconstruction, files.map):
                if path is not None and path not in kept:
                    path.unlink(missing_ok=True)
        self._records = records

    def _original(self, name: str) -> _Dropped:
        with self._lock:
            if name not in self._images:
                raise InputError(f"image {name!r} given, but it was not dropped here; drop it again")
            return self._images[name]

    def _scored(
        self, name: str, rebuilt: ImageU8, data: bytes, how: tuple[str, str, float, float, float], notes: list[str]
    ) -> dict[str, Any]:
        from vitiq.metrics.scoring import resolve_metrics, score_pair  # noqa: PLC0415 - torch

        original = self._original(name)
        image = read_image(original.path)
        codec, title, quality, encode_seconds, decode_seconds = how
        key = hashlib.sha256(f"{original.path.name}|{codec}|{title}|{quality}|".encode() + data).hexdigest()
        target = self.folder / f"{key[:24]}.png"
        write_png(target, rebuilt)
        with self._lock:  # one at a time: a ViT takes all cores
            if self._metrics is None:
                self._metrics = resolve_metrics(METRICS)
            scores = score_pair(image, rebuilt, self._metrics)
            maps = self._map(image, rebuilt, key)
            height, width, _ = image.shape
            record = Record(
                key,
                name,
                original.pixels,
                codec,
                title,
                {},
                "quality",
                quality,
                None if codec == "given" else quality,
                True,
                width,
                height,
                len(data),
                len(data) * 8 / (width * height),
                encode_seconds,
                decode_seconds,
                scores,
                tuple(notes),
                None,
                {"original_bytes": original.bytes},
            )
            made = [item for item in self._records if item[0].key != key][-MOST + 1 :]
            self._keep([*made, (record, Files(original.path, target, None, None, maps))])
            self._changes += 1
        return {"key": f"{key[:10]}", "image": name, "bytes": len(data)}

    def _map(self, image: ImageU8, rebuilt: ImageU8, key: str) -> Path:
        from vitiq.metrics.semantic.vit_map import meaning_map  # noqa: PLC0415 - torch

        path = self.folder / f"{key[:24]}.npz"
        path.write_bytes(map_bytes(meaning_map(image, rebuilt)))
        return path

    @staticmethod
    def panel() -> str:
        """HTML of the place where images are dropped, with every codec that needs no options, and its qualities."""
        options = []
        for name in registry.names("codecs"):
            try:
                codec = make_codec(name)
                codec.check_ready([codec.default_quality])
            except VitiqError:
                continue
            low, high, step = codec.quality_range or (min(codec.qualities), max(codec.qualities), 1)
            options.append(
                f'<option value="{html.escape(name)}" data-low="{low:g}" data-high="{high:g}" data-step="{step:g}" '
                f'data-default="{codec.default_quality:g}" data-help="{html.escape(codec.quality_help)}">'
                f"{html.escape(codec.title)}</option>"
            )
        return (
            '<section id="bench" aria-labelledby="h-bench"><h2 id="h-bench">Try your own images</h2>'
            '<div class="drops"><label class="drop" id="drop-a"><b>Original</b><span>Drop an image here, or choose a '
            'file</span><input type="file" accept="image/*"></label><label class="drop" id="drop-b"><b>Its '
            "reconstruction</b><span>Drop what your codec made of it, or use one below</span>"
            '<input type="file"></label></div>'
            f'<div class="tools"><label>Codec <select id="try-codec">{"".join(options)}</select></label>'
            '<label class="wide">Quality <input type="range" id="try-quality"><output id="try-value"></output></label>'
            '<span class="soft" id="try-help"></span></div><p id="try-said" role="status"></p></section>'
        )


def _sha(image: ImageU8) -> str:
    return hashlib.sha256(np.ascontiguousarray(image).data).hexdigest()
