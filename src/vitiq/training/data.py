"""Training images: folders and .tar files, decoded once into a cache that is read through a memory map."""

from __future__ import annotations

import hashlib
import json
import logging
import tarfile
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path, PurePosixPath

import numpy as np
from PIL import Image

from vitiq.errors import InputError
from vitiq.files import open_output, write_text
from vitiq.image.folders import IMAGE, Kind, is_housekeeping, kept_below
from vitiq.image.formats import SUFFIXES
from vitiq.image.io import decode_image
from vitiq.image.limits import MAX_FILE_BYTES, read_bounded
from vitiq.npz import bounded_npz
from vitiq.types import ImageU8

DECODED = 2
"""Version of how pixels are made of files."""

INDEX = "index.json"
"""File of a cache that says what is in the other."""

LARGEST_CACHE = 2**36
"""Bytes of arrays in a cache, which this program wrote itself: 64 GiB."""

SAID = 5
"""Images left out that are named, each with its reason."""

TAR = ".tar"
TRAINED_ON = Kind(SUFFIXES | {TAR}, IMAGE.holds)
"""Files of a folder that are read."""

log = logging.getLogger("vitiq")


def _files(source: Path, problems: list[str]) -> Iterator[tuple[str, bytes]]:
    """Name and bytes of every image of a folder or a .tar; of a folder, without results of vitiq below it.

    What cannot be read becomes a problem, and the rest goes on; a damaged .tar raises InputError.
    """
    if source.is_dir():
        for path in kept_below(source, TRAINED_ON, problems, Counter()):
            if path.suffix.lower() == TAR:
                yield from _files(path, problems)
                continue
            try:
                data = read_bounded(path)
            except InputError as error:
                problems.append(str(error))
                continue
            yield path.relative_to(source).as_posix(), data
    elif source.suffix.lower() == TAR:
        try:
            with tarfile.open(source) as archive:
                for member in archive:
                    name = PurePosixPath(member.name)
                    if not member.isfile() or is_housekeeping(name) or name.suffix.lower() not in SUFFIXES:
                        continue
                    if member.size > MAX_FILE_BYTES:  # a compressed archive may ask for more than it holds
                        problems.append(
                            f"{source}: {member.name} has {member.size} bytes, above the limit of {MAX_FILE_BYTES}"
                        )
                        continue
                    file = archive.extractfile(member)
                    if file is not None:
                        yield f"{source.stem}/{member.name}", file.read()
        except (tarfile.TarError, OSError) as error:
            raise InputError(f"{source}: not a readable .tar file ({error}); fetch it again") from error
    else:
        raise InputError(f"{source}: no folder and no .tar file of images; give one with --data")


def _decode(name: str, data: bytes, short_side: int) -> ImageU8:
    """The image in sRGB, downscaled to the short side.

    Raises:
        InputError: it cannot be decoded.
    """
    pixels, _ = decode_image(data, name)
    height, width, _ = pixels.shape
    scale = short_side / min(height, width)
    if scale >= 1:
        return pixels
    size = max(short_side, round(width * scale)), max(short_side, round(height * scale))
    return np.array(Image.fromarray(pixels).resize(size, Image.Resampling.LANCZOS))


def _say(left_out: Sequence[str]) -> None:
    for reason in left_out[:SAID]:
        log.error("left out of the training images: %s", reason)
    if len(left_out) > SAID:
        log.error("left out of the training images: %d more", len(left_out) - SAID)


def kept_arrays(path: Path) -> dict[str, np.ndarray] | None:
    """Arrays of a cache in a .npz file; None where there is none, or it is damaged: it is made anew then."""
    try:
        return bounded_npz(path, LARGEST_CACHE)
    except (OSError, ValueError):
        return None


def digest_of(value: object) -> str:
    """sha256 of a value that JSON can hold."""
    return hashlib.sha256(json.dumps(value).encode()).hexdigest()


def _digest(sources: Sequence[Path], short_side: int, limit: int | None) -> str:
    """Key of the cache: every byte is read, as fast as it can be hashed (about 1 GB a second)."""
    files = [
        [(name, hashlib.sha256(data).hexdigest()) for name, data in islice(_files(source, []), limit)]
        for source in sources
    ]
    return digest_of({"files": files, "short_side": short_side, "decoded": DECODED})


class ImageSet:
    """Decoded images behind a memory map; picks are by index, order is by name.

    Use `ImageSet.open`.

    Args:
        folder: the cache.

    Attributes:
        names: of the images, relative to their source.
        digest: sha256 over the names and contents of the files read, and over how they were.
    """

    def __init__(self, folder: Path) -> None:
        """Opens a cache; raises ValueError, KeyError, TypeError or OSError where it is not whole."""
        index = json.loads((folder / INDEX).read_text(encoding="utf-8"))
        self.digest: str = index["digest"]
        self.names: list[str] = index["names"]
        self._shapes: list[tuple[int, int]] = [(h, w) for h, w in index["shapes"]]
        sizes = [3 * h * w for h, w in self._shapes]
        self._offsets = np.concatenate([[0], np.cumsum(sizes)])
        self._pixels = np.memmap(folder / "pixels.bin", dtype=np.uint8, mode="r")
        if len(self.names) != len(sizes) or len(self._pixels) != self._offsets[-1]:
            raise ValueError(f"{len(self.names)} images in {len(self._pixels)} bytes, {self._offsets[-1]} expected")

    @classmethod
    def _kept(cls, cache: Path, digest: str) -> ImageSet | None:
        """What a cache holds; None where there is none, of other images, or damaged: it is made anew then."""
        try:
            found = cls(cache)
        except (ValueError, KeyError, TypeError, OSError):
            return None
        return found if found.digest == digest else None

    @classmethod
    def open(cls, sources: Sequence[Path], cache: Path, *, short_side: int, limit: int | None = None) -> ImageSet:
        """Images of folders and .tar files; decoded into `cache` the first time.

        Images that cannot be decoded are left out, and named. The cache is keyed by the files' names and contents
        and by the other arguments: where one of them changed, it is written again; where the files lie does not matter.

        Args:
            sources: folders and .tar files.
            cache: folder for the decoded images.
            short_side: images with a longer short side, in pixels, are downscaled to it.
            limit: take only the first images of each source.

        Raises:
            InputError: a source does not exist, is damaged, or none holds an image.
        """
        for source in sources:
            if not source.exists():
                raise InputError(f"{source}: no such folder or .tar file of training images")
        digest = _digest(sources, short_side, limit)
        kept = cls._kept(cache, digest)
        if kept is not None:
            return kept
        ready = cache / INDEX
        cache.mkdir(parents=True, exist_ok=True)
        names: list[str] = []
        left_out: list[str] = []
        shapes: list[tuple[int, int]] = []
        # Without its name until whole: a map of the old pixels may be open elsewhere.
        with open_output(cache / "pixels.bin") as pixels:
            for source in sources:
                for name, data in islice(_files(source, left_out), limit):
                    try:
                        image = _decode(name, data, short_side)
                    except InputError as error:
                        left_out.append(str(error))
                        continue
                    names.append(name)
                    shapes.append((image.shape[0], image.shape[1]))
                    pixels.write(image.tobytes())
            _say(left_out)
            if not names:
                given = ", ".join(str(source) for source in sources)
                raise InputError(f"{given}: no images found; expected {', '.join(sorted(SUFFIXES))}")
            ready.unlink(missing_ok=True)
        write_text(ready, json.dumps({"digest": digest, "names": names, "shapes": shapes}))
        return cls(cache)

    def shape(self, index: int) -> tuple[int, int]:
        """Height and width of an image."""
        return self._shapes[index]

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, index: int) -> ImageU8:
        height, width = self._shapes[index]
        start = int(self._offsets[index])
        return np.array(self._pixels[start : start + 3 * height * width]).reshape(height, width, 3)

    def split(self, held_out: int) -> tuple[list[int], list[int]]:
        """Indices for training and for validation, by a hash of the names, so additions move few images."""
        order = sorted(range(len(self)), key=lambda i: hashlib.sha256(self.names[i].encode()).digest())
        held_out = min(held_out, len(self) // 2)
        return order[held_out:], order[:held_out]
