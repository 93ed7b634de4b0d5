"""Images of a report: full-size exact copies, thumbnails and overlays, each named by the hash of what it shows.

A name says its content: a copy that is there already is not made again, and two reports of one study share their files.
"""

from __future__ import annotations

import base64
import hashlib
import io
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Protocol

import numpy as np
from jaxtyping import Float
from PIL import Image

from vitiq.evaluation.store import inside
from vitiq.files import write_bytes
from vitiq.image.io import read_image
from vitiq.report.source import read_maps
from vitiq.types import ImageU8
from vitiq.workers import cores

THUMBNAIL = 360
"""Pixels of the longer side."""
OVERLAY = 320
"""Pixels of the longer side of a map: maps are smooth, and the browser enlarges them."""
WEBP_SIDE = 16383
"""WebP's largest side."""
FOLDER = "assets"
NAME = re.compile(r"[0-9a-f]{20}\.[a-z]{1,9}\.(webp|png)")
DISPLAY_QUALITIES = (92, 84, 74, 60, 45, 30, 15)
"""WebP qualities tried for display copies, where lossless ones do not fit a budget."""


class Assets(Protocol):
    """Hands out the address of an image; how it is kept is its own affair.

    Each refuses an image outside the folder of the study, with an InputError.
    """

    def full(self, path: Path) -> str:
        """Address of the whole image."""

    def thumbnail(self, path: Path) -> str:
        """Address of a small copy, not for comparing."""

    def overlay(self, kind: str, *paths: Path) -> str:
        """Address of a map: `ssim` of two images, `semantic` and `attention` of a file of maps."""


def lossless(image: ImageU8) -> tuple[bytes, str]:
    """Bytes and format of an exact copy."""
    kind = "webp" if max(image.shape[:2]) <= WEBP_SIDE else "png"
    return _saved(Image.fromarray(image), kind, lossless=True, method=0, quality=0, exact=True), kind


def display(image: ImageU8, quality: int) -> bytes:
    """A WebP that looks like the image but is not it."""
    return _saved(_within(Image.fromarray(image), WEBP_SIDE), "webp", quality=quality, method=2)


def thumbnail(image: ImageU8, side: int = THUMBNAIL) -> bytes:
    """A small WebP."""
    return _saved(_within(Image.fromarray(image), side), "webp", quality=80, method=2)


def _within(image: Image.Image, side: int) -> Image.Image:
    image.thumbnail((side, side), Image.Resampling.LANCZOS, reducing_gap=3)
    return image


def _saved(image: Image.Image, kind: str, **settings: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind.upper(), **(settings if kind == "webp" else {}))
    return buffer.getvalue()


def _ssim_overlay(x: Float[np.ndarray, "h w"], y: Float[np.ndarray, "h w"]) -> bytes:
    """1 - SSIM of two lumas, Gaussian window of deviation 1.5 (Wang et al. 2004): nothing where equal, full where 0."""
    from scipy.ndimage import gaussian_filter  # noqa: PLC0415 - imported where used

    def blur(values: np.ndarray) -> np.ndarray:
        return np.asarray(gaussian_filter(values, 1.5, truncate=3.5))

    mx, my = blur(x), blur(y)
    vx, vy, vxy = blur(x * x) - mx * mx, blur(y * y) - my * my, blur(x * y) - mx * my
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    ssim = (2 * mx * my + c1) * (2 * vxy + c2) / ((mx * mx + my * my + c1) * (vx + vy + c2))
    return _tinted(1 - ssim)


@lru_cache(maxsize=32)
def _luma_of(original: Path) -> Float[np.ndarray, "h w"]:
    """Luma of an original, which is the same for every codec and setting."""
    return _luma(read_image(original))


def _luma(image: ImageU8) -> Float[np.ndarray, "h w"]:
    """Luma, as Pillow's whole numbers, at the scale that SSIM's authors advise for a whole image (ssim.m, "suggested
    usage"): means over squares of max(1, round(min(height, width) / 256)) pixels.
    """
    step = max(1, round(min(image.shape[:2]) / 256))
    grey = Image.fromarray(image).convert("L")
    return np.asarray(grey.reduce(step) if step > 1 else grey, dtype=np.float32)


def map_overlay(path: Path, kind: str) -> bytes:
    """The semantic error map as a tint, or attention as a shade over what the network did not look at."""
    loss, attention = read_maps(path)
    if kind == "attention":
        return _tinted(1 - (attention / max(float(attention.max()), 1e-12)) ** 0.5, colour=(0, 0, 0), most=0.92)
    return _tinted(loss)


def _tinted(
    values: Float[np.ndarray, "h w"], colour: tuple[int, int, int] = (214, 0, 110), most: float = 0.95
) -> bytes:
    """A map of 0 … 1 as a colour that grows more opaque."""
    step = max(1, -(-max(values.shape) // OVERLAY))
    rows, columns = (max(1, size // step) for size in values.shape)
    down, across = values.shape[0] // rows, values.shape[1] // columns
    small = values[: rows * down, : columns * across].reshape(rows, down, columns, across).mean((1, 3))
    alpha = np.round(np.clip(small, 0, 1) * 31) / 31 * 255 * most
    sheet = np.empty((*small.shape, 4), np.uint8)
    sheet[..., :3] = colour
    sheet[..., 3] = alpha.astype(np.uint8)
    return _saved(Image.fromarray(sheet), "webp", lossless=True, method=2, quality=50, exact=True)


def overlay_bytes(kind: str, *paths: Path) -> bytes:
    """An overlay from the files it is made of."""
    if kind == "ssim":
        original, rebuilt = paths
        return _ssim_overlay(_luma_of(original), _luma(read_image(rebuilt)))
    return map_overlay(paths[0], kind)


def digest(*paths: Path) -> str:
    """Twenty hexadecimal digits of the files' bytes."""
    found = hashlib.sha256()
    for path in paths:
        found.update(hashlib.sha256(path.read_bytes()).digest())
    return found.hexdigest()[:20]


@dataclass
class FolderAssets:
    """Keeps images in OUT/assets; `finish` makes what is missing, on all cores, and removes what is no longer named."""

    out: Path
    wanted: dict[str, Callable[[], bytes]] = field(default_factory=dict)
    sources: dict[str, Path] = field(default_factory=dict)
    _digests: dict[tuple[Path, ...], str] = field(default_factory=dict)

    def full(self, path: Path) -> str:
        """As `Assets`: the study's own PNG, a second name of one file where the file system knows such."""
        name = self._want((path,), "full.png", path.read_bytes)
        self.sources[name.rpartition("/")[2]] = path
        return name

    def thumbnail(self, path: Path) -> str:
        """As `Assets`."""
        return self._want((path,), "thumb.webp", lambda: thumbnail(read_image(path)))

    def overlay(self, kind: str, *paths: Path) -> str:
        """As `Assets`."""
        return self._want(paths, f"{kind}.webp", lambda: overlay_bytes(kind, *paths))

    def _want(self, paths: tuple[Path, ...], suffix: str, make: Callable[[], bytes]) -> str:
        if paths not in self._digests:
            for path in paths:
                inside(path, self.out)
            self._digests[paths] = digest(*paths)
        name = f"{self._digests[paths]}.{suffix}"
        self.wanted.setdefault(name, make)
        return f"{FOLDER}/{name}"

    def finish(self, step: Callable[[int, int], object] = lambda *_: None) -> None:
        """Write what is missing and remove older reports' files.

        Args:
            step: called after each file with the number of those written, and of all that are missing.
        """
        folder = self.out / FOLDER
        missing = [(name, make) for name, make in self.wanted.items() if not (folder / name).exists()]
        # Reading and coding of images release the interpreter's lock, so that threads are enough.
        with ThreadPoolExecutor(cores()) as pool:
            for done, _ in enumerate(pool.map(lambda item: self._make(folder / item[0], item[1]), missing), 1):
                step(done, len(missing))
        for path in folder.glob("*"):
            if NAME.fullmatch(path.name) and path.name not in self.wanted:
                path.unlink(missing_ok=True)

    def _make(self, target: Path, make: Callable[[], bytes]) -> None:
        source = self.sources.get(target.name)
        if source is None or not _linked(source, target):
            write_bytes(target, make())


def _linked(source: Path, target: Path) -> bool:
    """Give a file a second name; False where the file system cannot.

    The study replaces its files and never writes into them, so that the second name keeps what it named.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        target.hardlink_to(source.resolve())
    except FileExistsError:
        return True
    except OSError:
        return False
    return True


@dataclass
class InlineAssets:
    """Keeps images in the page itself, exact where all fit the budget, else as the best display copies that do.

    Attributes:
        out: folder of the study.
        budget: bytes of the page that images may take.
        quality: WebP quality of the copies; None where they are exact.
    """

    out: Path
    budget: int
    quality: int | None = None
    paths: dict[Path, str] = field(default_factory=dict)
    _small: dict[str, str] = field(default_factory=dict)

    def full(self, path: Path) -> str:
        """A placeholder that `fill` replaces once it is known what fits."""
        return self.paths.setdefault(inside(path, self.out), f"vitiq:image:{len(self.paths)}:")

    def thumbnail(self, path: Path) -> str:
        """The browser shrinks the whole image: a second copy would take from the budget."""
        return self.full(path)

    def overlay(self, kind: str, *paths: Path) -> str:
        """A data URI; maps are small."""
        name = f"{kind}:{':'.join(map(str, paths))}"
        if name not in self._small:
            for path in paths:
                inside(path, self.out)
            self._small[name] = _data_uri(overlay_bytes(kind, *paths), "webp")
        return self._small[name]

    def contents(self) -> dict[str, str]:
        """Placeholder -> data URI."""
        left = self.budget - sum(map(len, self._small.values()))
        found = self._coded(lossless, left)
        for quality in DISPLAY_QUALITIES:
            if found is not None:
                break
            self.quality = quality
            found = self._coded(lambda image, q=quality: (display(image, q), "webp"), left)  # type: ignore[misc]
        return found or dict.fromkeys(self.paths.values(), "")

    def _coded(self, code: Callable[[ImageU8], tuple[bytes, str]], left: int) -> dict[str, str] | None:
        found = {}
        for path, mark in self.paths.items():
            found[mark] = _data_uri(*code(read_image(path)))
            left -= len(found[mark])
            if left < 0:
                return None
        return found


def _data_uri(data: bytes, kind: str) -> str:
    return f"data:image/{kind};base64," + base64.b64encode(data).decode()
