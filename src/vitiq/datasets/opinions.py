"""Images with human opinion scores, read from the folders of the published data sets as they are published.

| layout | known by | opinions |
|---|---|---|
| TID2013 (TID2008) | `mos_with_names.txt`, `reference_images/`, `distorted_images/` | MOS 0 … 9 |
| LIVE release 2 | `refnames_all.mat`, `dmos_realigned.mat` or `dmos.mat`, `refimgs/`, `jp2k/` … | DMOS, negated |
| CSIQ | `csiq.DMOS.xlsx`, `src_imgs/`, `dst_imgs/` | DMOS 0 … 1, negated |
| KADID-10k | `dmos.csv`, `images/` | "DMOS" 1 … 5, where 5 is best |
| AIC-3, AIC-4, CID22, mucped22, mucped23 | see `compression` | JND, MCOS, Elo |
| PIPAL | `Train_Label/`, `Train_Ref/`, `Train_Dist/` or `Distortion_1/` … | Elo |
| plain | `mos.csv` with columns distorted, reference, mos and, if wanted, distortion and bpp | larger is better |
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from vitiq.datasets.compression import aic3, aic4, cid22, mucped22, mucped23, rows
from vitiq.datasets.opinion import Opinion, OpinionSet
from vitiq.datasets.spreadsheet import read_sheet
from vitiq.errors import InputError
from vitiq.text import parse_table, read_text

__all__ = ["LAYOUTS", "Opinion", "OpinionSet", "load_opinions"]

TID_DISTORTIONS = (
    "additive noise",
    "colour noise",
    "correlated noise",
    "masked noise",
    "high-frequency noise",
    "impulse noise",
    "quantisation noise",
    "blur",
    "denoising",
    "jpeg",
    "jpeg2000",
    "jpeg errors",
    "jpeg2000 errors",
    "non-eccentric pattern",
    "block-wise",
    "mean shift",
    "contrast",
    "saturation",
    "multiplicative noise",
    "comfort noise",
    "noisy compression",
    "colour quantisation",
    "chromatic aberrations",
    "sparse sampling",
)
"""Ponomarenko et al. 2015, Table 2, DOI 10.1016/j.image.2014.10.009; JPEG is 10 and JPEG 2000 is 11."""

KADID_DISTORTIONS = (
    "gaussian blur",
    "lens blur",
    "motion blur",
    "colour diffusion",
    "colour shift",
    "colour quantisation",
    "saturation 1",
    "saturation 2",
    "jpeg2000",
    "jpeg",
    "white noise",
    "white noise in colour",
    "impulse noise",
    "multiplicative noise",
    "denoise",
    "brighten",
    "darken",
    "mean shift",
    "jitter",
    "non-eccentric patch",
    "pixelate",
    "quantisation",
    "colour block",
    "high sharpen",
    "contrast change",
)
"""Lin, Hosu & Saupe 2019, Table I (KADID-10k), DOI 10.1109/QoMEX.2019.8743252; numbered from 01."""

OWN, OWN_TABLE = "plain", "mos.csv"
OWN_COLUMNS = "the columns distorted, reference, mos and, if wanted, distortion and bpp"

LIVE_FOLDERS = (("jp2k", 227), ("jpeg", 233), ("wn", 174), ("gblur", 174), ("fastfading", 174))
"""Images a folder, in the order of the .mat files (LIVE release 2, readme.txt)."""

CSIQ_KINDS = {
    "noise": ("awgn", "AWGN"),
    "jpeg": ("jpeg", "JPEG"),
    "jpeg 2000": ("jpeg2000", "jpeg2000"),
    "fnoise": ("fnoise", "fnoise"),
    "blur": ("blur", "BLUR"),
    "contrast": ("contrast", "contrast"),
}
"""Kind in the table -> folder and part of the file name."""


def load_opinions(folder: Path) -> OpinionSet:
    """Every opinion of a data set in the layout found.

    Where no image is there, but the set publishes values of metrics, opinions and these values are given.

    Raises:
        InputError: no such folder, no known layout, a damaged table, or none of its images there.
    """
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder; give the folder of a data set with opinion scores")
    for mark, (layout, read) in LAYOUTS.items():
        if (folder / mark).exists():
            try:
                found = read(folder)
            except OwnTableError as error:
                raise InputError(f"{folder / mark}: {error}; expected {OWN_COLUMNS}") from error
            except (KeyError, ValueError, IndexError, TypeError, AttributeError, OSError) as error:
                raise InputError(
                    f"{folder / mark}: not as {layout} publishes it ({error!r}); unpack it again"
                ) from error
            return _of_images_here(folder, found)
    raise InputError(f"{folder}: no known layout; expected one of {', '.join(sorted(LAYOUTS))} in it")


def _of_images_here(folder: Path, found: OpinionSet) -> OpinionSet:
    present = tuple(o for o in found.opinions if o.reference.is_file() and o.distorted.is_file())
    if present:
        here = {o.distorted for o in present}
        choices = tuple(c for c in found.choices if c.better in here and c.worse in here)
        return replace(found, opinions=present, choices=choices, problems=_not_there(found))
    if any(o.published for o in found.opinions):
        return replace(found, with_images=False)
    first = found.opinions[0] if found.opinions else None
    example = f"{first.distorted} and {first.reference}" if first else "a table with rows"
    raise InputError(f"{folder}: looks like {found.layout}, but no image is there; expected {example}")


def _not_there(found: OpinionSet) -> tuple[str, ...]:
    """Of a person's own table, what leads to no file; published sets are often used in part."""
    if found.layout != OWN:
        return ()
    missing = (path for o in found.opinions for path in (o.distorted, o.reference) if not path.is_file())
    return tuple(
        f"{path}: listed in {OWN_TABLE}, but no such file; correct the table" for path in dict.fromkeys(missing)
    )


class _Files:
    """Files of folders by name whatever the case: the data sets mix i01.bmp and I01.BMP."""

    def __init__(self, *folders: Path) -> None:
        self._found: dict[str, Path] = {}
        self._first = folders[0]
        for folder in folders:
            for path in sorted(folder.rglob("*")) if folder.is_dir() else []:
                self._found.setdefault(path.name.lower(), path)

    def __getitem__(self, name: str) -> Path:
        return self._found.get(name.lower(), self._first / name)


class OwnTableError(ValueError):
    """What is wrong in a table that a person made; the text names the line."""


def _plain(folder: Path) -> Iterator[Opinion]:
    lines: dict[tuple[Path, Path], int] = {}
    try:
        for row in parse_table(read_text(folder / OWN_TABLE), ("distorted", "reference", "mos")):
            reference, distorted = (_named(folder, row.cells[name]) for name in ("reference", "distorted"))
            before = lines.setdefault((reference, distorted), row.line)
            if before != row.line:
                said = f"{row.cells['distorted']} is rated in line {before} already; give the mean once"
                raise ValueError(f"line {row.line}: {said}")
            kind = row.cells.get("distortion") or distorted.parent.name
            yield Opinion(reference, distorted, kind, row.number("mos"), row.number("bpp", math.nan))
    except (ValueError, OSError) as error:
        raise OwnTableError(getattr(error, "strerror", None) or str(error)) from error


def _named(folder: Path, name: str) -> Path:
    """A file by its path below the folder or an absolute one; with backslashes as on Windows if these lead there."""
    path = folder / name
    windows = folder / name.replace("\\", "/")
    return windows if windows != path and windows.exists() and not path.exists() else path


def _tid(folder: Path) -> Iterator[Opinion]:
    references, distorted = _Files(folder / "reference_images"), _Files(folder / "distorted_images")
    for line in read_text(folder / "mos_with_names.txt").split("\n"):
        if line.strip():
            mos, name = line.split()
            image, kind, level = name.split(".")[0].split("_")
            number = int(kind)
            if not 1 <= number <= len(TID_DISTORTIONS):
                raise ValueError(f"distortion {number} in {name}")
            images = references[f"{image}.bmp"], distorted[name]
            yield Opinion(*images, TID_DISTORTIONS[number - 1], float(mos), float(level))


def _live(folder: Path) -> Iterator[Opinion]:
    from scipy.io import loadmat  # noqa: PLC0415 - slow to import

    realigned = folder / "dmos_realigned.mat"
    scores = loadmat(realigned if realigned.exists() else folder / "dmos.mat")
    dmos = scores["dmos_new" if "dmos_new" in scores else "dmos"].ravel()
    originals = scores["orgs"].ravel()
    cells = loadmat(folder / "refnames_all.mat")["refnames_all"].ravel()
    names = [str(np.asarray(cell).item()) for cell in cells]
    place = 0
    for kind, count in LIVE_FOLDERS:
        for number in range(1, count + 1):
            if place < len(dmos) and not originals[place]:
                distorted = folder / kind / f"img{number}.bmp"
                yield Opinion(folder / "refimgs" / names[place], distorted, kind, -float(dmos[place]))
            place += 1


def _csiq(folder: Path) -> Iterator[Opinion]:
    references, distorted = _Files(folder / "src_imgs", folder), _Files(folder / "dst_imgs", folder)
    rows = read_sheet(folder / "csiq.DMOS.xlsx", "all_by_image")
    start, header = next((i, row) for i, row in enumerate(rows) if "image" in row and "dmos" in row)
    columns = {name: header.index(name) for name in ("image", "dst_type", "dst_lev", "dmos")}
    for row in rows[start + 1 :]:
        padded = [*row, *[""] * (len(header) - len(row))]
        image, kind, level, dmos = (padded[columns[name]] for name in columns)
        if not image:
            continue
        folder_name, token = CSIQ_KINDS[kind]
        stem = f"{float(image):.0f}" if image.replace(".", "", 1).isdigit() else image
        name = f"{stem}.{token}.{float(level):.0f}.png"
        yield Opinion(references[f"{stem}.png"], distorted[name], folder_name, -float(dmos), float(level))


def _kadid(folder: Path) -> Iterator[Opinion]:
    images = folder / "images"
    for row in rows(folder / "dmos.csv"):
        _, number, level = Path(row["dist_img"]).stem.split("_")
        kind = KADID_DISTORTIONS[int(number) - 1]
        yield Opinion(images / row["ref_img"], images / row["dist_img"], kind, float(row["dmos"]), float(level))


def _pipal(folder: Path) -> Iterator[Opinion]:
    references = _Files(folder / "Train_Ref")
    distorted = _Files(folder / "Train_Dist", *sorted(folder.glob("Distortion_*")))
    for table in sorted((folder / "Train_Label").glob("*.txt")):
        for line in read_text(table).split("\n"):
            if line.strip():
                name, elo = line.split(",")
                image, kind, _ = name.split(".")[0].split("_")
                yield Opinion(references[f"{image}.bmp"], distorted[name], f"group {kind}", float(elo))


def _set(layout: str, unit: str, rate_unit: str, read: Callable[[Path], Iterator[Opinion]], folder: Path) -> OpinionSet:
    return OpinionSet(layout, tuple(read(folder)), unit, rate_unit)


LAYOUTS: dict[str, tuple[str, Callable[[Path], OpinionSet]]] = {
    "mos_with_names.txt": ("TID2013", partial(_set, "TID2013", "MOS", "level", _tid)),
    "refnames_all.mat": ("LIVE", partial(_set, "LIVE", "DMOS", "", _live)),
    "csiq.DMOS.xlsx": ("CSIQ", partial(_set, "CSIQ", "DMOS", "level", _csiq)),
    "dmos.csv": ("KADID-10k", partial(_set, "KADID-10k", "DMOS", "level", _kadid)),
    "JPEG_AIC_reconstructed_jnd_scores.csv": ("AIC-4", aic4),
    "decoded/info_with_bitrates.csv": ("AIC-3", aic3),
    "decoded/info.csv": ("AIC-3", aic3),
    "CID22_validation_set.csv": ("CID22", cid22),
    "answers.csv": ("mucped23", mucped23),
    "evaluations.json": ("mucped22", mucped22),
    "Train_Label": ("PIPAL", partial(_set, "PIPAL", "Elo", "", _pipal)),
    OWN_TABLE: (OWN, partial(_set, OWN, "MOS", "bits per pixel", _plain)),
}
"""File that gives a layout away -> its name and its reader."""
