"""Reconstructions that were made elsewhere, scored like any codec's: a folder, or one a rate, with a table of bytes.

    vtm/kodim01.png …  and sizes.csv:   image,bytes            one rate
    vtm/22/kodim01.png, vtm/27/… :      image,rate,bytes       folders named by numbers are rates

The table is `sizes.csv` in the folder unless another is named. An image is found by its name without suffix.
"""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from vitiq.errors import InputError
from vitiq.evaluation.study import Ready, Series, StudyImage, readable
from vitiq.image.io import find_images
from vitiq.image.limits import read_bounded
from vitiq.text import parse_table, read_text

TABLE = "sizes.csv"


@dataclass(frozen=True)
class Precomputed:
    """A folder of reconstructions.

    Attributes:
        label: for curves and tables.
        files: (stem of the image, rate) -> file; the rate is None where there is one only.
        sizes: (stem of the image, rate) -> bytes of the compressed file.
        table: where the sizes stand.
    """

    label: str
    files: dict[tuple[str, float | None], Path]
    sizes: dict[tuple[str, float | None], int]
    table: Path


def read_precomputed(text: str) -> Precomputed:
    """What `LABEL=FOLDER[,SIZES.csv]` names.

    Raises:
        InputError: no such folder or table, a line of it that is not expected, or two files for one image.
    """
    label, equals, rest = text.partition("=")
    folder_name, _, table_name = rest.partition(",")
    if not equals or not label.strip() or not folder_name:
        raise InputError(f"precomputed {text!r} given; expected LABEL=FOLDER or LABEL=FOLDER,SIZES.csv")
    folder = Path(folder_name)
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder; it holds the reconstructions of {label}")
    table = Path(table_name) if table_name else folder / TABLE
    files: dict[tuple[str, float | None], Path] = {}
    for image in find_images([folder]).images:
        name = PurePosixPath(readable(image.path.relative_to(folder)))
        rate = _number(name.parts[0]) if len(name.parts) > 1 else None
        stem = (PurePosixPath(*name.parts[1:]) if rate is not None else name).with_suffix("").as_posix()
        if (stem, rate) in files:
            raise InputError(f"{files[stem, rate]} and {image.path}: two reconstructions of one image; remove one")
        files[stem, rate] = image.path
    return Precomputed(label.strip(), files, _sizes(table), table)


def folder_of(text: str) -> Path:
    """The folder that `LABEL=FOLDER[,SIZES.csv]` names."""
    return Path(text.partition("=")[2].partition(",")[0])


def _sizes(table: Path) -> dict[tuple[str, float | None], int]:
    try:
        rows = parse_table(read_text(table), ("image", "bytes"))
    except (OSError, ValueError) as error:
        said = getattr(error, "strerror", None) or error
        raise InputError(
            f"{table}: cannot be read ({said}); expected columns image,bytes and rate if several"
        ) from error
    sizes: dict[tuple[str, float | None], int] = {}
    for row in rows:
        stated = row.cells.get("rate", "")
        rate = _number(stated) if stated else None
        try:
            size = int(row.cells["bytes"])
            stem = PurePosixPath(row.cells["image"]).with_suffix("").as_posix()
        except ValueError:
            size, stem = 0, ""
        if size < 1 or not stem or (stated and rate is None):
            raise InputError(f"{table}: line {row.line}: columns image, bytes (from 1) and perhaps rate expected")
        sizes[stem, rate] = size
    return sizes


def precomputed_series(text: str, images: Sequence[StudyImage]) -> tuple[Series, list[str]]:
    """The series of a folder, and one line for each image or size that is missing.

    Raises:
        InputError: as `read_precomputed`.
    """
    made = read_precomputed(text)
    rates = sorted({rate for _, rate in made.files}, key=lambda rate: -math.inf if rate is None else rate)
    ready: dict[str, tuple[Ready, ...]] = {}
    problems: list[str] = []
    names = names_of_files(images)
    for image in images:
        name = names[image.name]
        stem = PurePosixPath(name).with_suffix("").as_posix()
        found: list[Ready] = []
        for rate in rates:
            path, size = made.files.get((stem, rate)), made.sizes.get((stem, rate))
            at = "" if rate is None else f" at rate {rate:g}"
            if path is None:
                problems.append(f"{made.label}: no reconstruction of {name}{at}")
            elif size is None:
                problems.append(f"{made.table}: no bytes of {name}{at}")
            else:
                digest = hashlib.sha256(read_bounded(path)).hexdigest()
                value = size * 8 / (image.width * image.height) if rate is None else rate
                found.append(Ready(str(path.absolute()), digest, size, value))
        ready[image.name] = tuple(found)
    return Series("", "{}", made.label, made.label, "", identity={"precomputed": made.label}, ready=ready), problems


def names_of_files(images: Sequence[StudyImage]) -> dict[str, str]:
    """Name of an image -> path of its file below the folder it came from.

    That is the name itself, except for `x.png` beside `X.png`, which the study calls `x-2.png`. Where two folders hold
    one path, both keep the study's names, which tell them apart.
    """
    real = {image.name: _below(image) for image in images}
    counts = Counter(real.values())
    return {name: path if counts[path] == 1 else name for name, path in real.items()}


def _below(image: StudyImage) -> str:
    parts = Path(image.path).parts[-len(PurePosixPath(image.name).parts) :]
    return readable(Path(*parts))


def _number(text: str) -> float | None:
    """A finite number; None for any other text, such as the name Nan."""
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None
