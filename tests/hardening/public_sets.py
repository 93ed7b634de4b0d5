"""Public test sets: what of them is read, refused, and differs from what another decoder makes of it.

python public_sets.py FOLDER ...           a row of a Markdown table for each folder; exits with 1 on a failure
python public_sets.py --list FOLDER ...    before it a line for each file that is refused or differs

A folder is a checkout, or any folder of images: suffixes decide what is tried. Each file is read in a process of its
own, with 30 s of processor time and 6 GiB; another exception than a refusal, or either limit, is a failure. The other
decoders are libvips (PNG, JPEG, TIFF, WebP, GIF), tifffile (TIFF), OpenCV and Pillow (BMP, Netpbm, TGA) and
imagecodecs (AVIF, JPEG XL, JPEG 2000): pip install pyvips pyvips-binary opencv-python-headless imagecodecs. A file is
equal if one of them shows the same. Beside a file, or in the same place below `reference` instead of `images` (as the
crate image has it), NAME.png is taken instead. A pixel may differ by 2.

These decoders do not follow colour as vitiq does (gAMA, CMYK, EXIF, profiles of AVIF), so a difference is "said" where
vitiq's notes tell of a conversion, and "silent" where they do not: those are the ones to look at.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import re
import resource
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from vitiq.errors import VitiqError
from vitiq.image.formats import HEAD_BYTES, SUFFIXES, detect
from vitiq.image.read import read_image_details

SECONDS, MEMORY, NEAR = 30, 6 << 30, 2
SAID = ("converted", "CMYK", "turned", "floating", "ignored", "cut ", "laid on white", "L*a*b*", "lacks")
COLUMNS = ("files", "read", "refused", "failed", "compared", "equal", "said", "silent")
Pixels = np.ndarray[Any, Any]


def on_white(pixels: Pixels, bits: int = 16) -> Pixels:
    """Any decoder's samples as H×W×3 of 8 bits; wider ones have `bits`."""
    pixels = np.atleast_3d(pixels)
    if pixels.dtype == np.uint16:
        pixels = (pixels.astype(np.uint32) * 510 + 2**bits - 1) // (2 * (2**bits - 1))
    elif pixels.dtype == np.bool_:
        pixels = pixels * np.uint8(255)
    if pixels.shape[2] in {2, 4}:
        alpha = pixels[:, :, -1:].astype(np.int64)
        pixels = (pixels[:, :, :-1].astype(np.int64) * alpha + 255 * (255 - alpha) + 127) // 255
    colour = pixels[:, :, :3] if pixels.shape[2] >= 3 else pixels[:, :, :1]
    return np.broadcast_to(colour, (*pixels.shape[:2], 3)).astype(np.int64)


def by_vips(path: Path, _bits: int = 8) -> Pixels:
    """libvips, turned, profiles followed, on white."""
    vips = importlib.import_module("pyvips")
    image = vips.Image.new_from_file(str(path)).autorot()
    if image.get_typeof("icc-profile-data"):
        image = image.icc_transform("srgb", embedded=True, intent="relative")
    image = image.colourspace("srgb")
    if image.hasalpha():
        image = image.flatten(background=[255, 255, 255])
    return on_white(image.cast("uchar").numpy())


def by_opencv(path: Path, _bits: int = 8) -> Pixels:
    """OpenCV, samples as they are."""
    cv2 = importlib.import_module("cv2")
    found = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    if found is None:
        raise ValueError("OpenCV reads nothing")
    if found.ndim == 3:
        found = found[:, :, [2, 1, 0, 3][: found.shape[2]]]
    return on_white(found)


def by_imagecodecs(name: str) -> Callable[[Path, int], Pixels]:
    """One of imagecodecs' decoders, the first frame, samples as they are."""

    def decode(path: Path, bits: int = 16) -> Pixels:
        found = getattr(importlib.import_module("imagecodecs"), name)(path.read_bytes())
        return on_white(found[0] if found.ndim == 4 else found, bits)

    return decode


def by_pillow(path: Path, _bits: int = 8) -> Pixels:
    """Pillow, where vitiq has a decoder of its own; palettes looked up, else samples as they are."""
    with Image.open(path) as image:
        plain = {"1": "L", "P": "RGBA", "PA": "RGBA"}.get(image.mode)
        return on_white(np.asarray(image.convert(plain) if plain else image))


def by_tifffile(path: Path, _bits: int = 8) -> Pixels:
    """tifffile, by the stated depth; floats from 0 to 1."""
    with importlib.import_module("tifffile").TiffFile(path) as opened:
        page = opened.pages[0]
        values = np.atleast_3d(page.asarray())
        values = np.moveaxis(values, 0, 2) if page.planarconfig == 2 and page.samplesperpixel > 1 else values
        top = 1 if values.dtype.kind in "fb" else 2**page.bitspersample - 1
        scaled = np.rint(values * (255 / top)).astype(np.uint8)
        return on_white(255 - scaled if page.photometric == 0 else scaled)


Decoder = Callable[[Path, int], Pixels]
OTHERS: dict[str, tuple[Decoder, ...]] = {
    **dict.fromkeys(("PNG", "JPEG", "WEBP", "GIF"), (by_vips,)),
    **dict.fromkeys(("BMP", "PPM"), (by_opencv, by_pillow)),
    "TIFF": (by_vips, by_tifffile),
    "TGA": (by_pillow,),
    "AVIF": (by_imagecodecs("avif_decode"),),
    "JXL": (by_imagecodecs("jpegxl_decode"),),
    "JPEG2000": (by_imagecodecs("jpeg2k_decode"),),
}


def others(path: Path, form: str | None, bits: int) -> Iterator[Pixels]:
    """What other decoders, or a reference beside the file, show. `bits`: of deep samples."""
    moved = path.as_posix().replace("/images/", "/reference/", 1)
    reference = next((place for place in (Path(f"{path}.png"), Path(f"{moved}.png")) if place.is_file()), None)
    decoders = OTHERS.get(form or "", ()) if reference is None else (by_vips,)
    for decode in decoders:
        # A decoder may raise anything; then there is nothing to compare with.
        with suppress(Exception):
            yield decode(reference or path, bits)


def look(path: Path) -> dict[str, str]:
    """What becomes of one file: `state`, and `why` of a refusal, `found` of a comparison."""
    try:
        image, notes = read_image_details(path)
    except VitiqError as error:
        return {"state": "refused", "why": str(error).replace(str(path), "")}
    data = path.read_bytes()
    answer = {"state": "read", "why": "; ".join(notes)}
    print(json.dumps(answer), flush=True)  # in case the other decoder ends this process
    deep = re.search(r"(\d+) bits rounded", answer["why"])
    form = detect(data[:HEAD_BYTES], path.suffix, data[-26:])
    equal = None
    for other in others(path, form, int(deep[1]) if deep and form in {"AVIF", "JPEG2000", "JXL"} else 16):
        if other.shape != image.shape:
            answer["size"] = f"{other.shape[1]}×{other.shape[0]} elsewhere"
        equal = other.shape == image.shape and int(np.abs(other - image).max()) <= NEAR
        if equal:
            break
    return (
        answer
        if equal is None
        else answer
        | {"found": "equal" if equal else "said" if any(mark in answer["why"] for mark in SAID) else "silent"}
    )


def in_a_process(path: Path) -> dict[str, str]:
    """`look` under limits; the state is "failed" where it ends otherwise."""
    ours, theirs = os.pipe()
    child = os.fork()
    if child == 0:
        os.dup2(theirs, 1)
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
        resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS + 1))
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        try:
            print(json.dumps(look(path)), flush=True)
        except Exception as error:
            print(json.dumps({"state": "failed", "why": repr(error)}), flush=True)
        finally:
            os._exit(0)
    os.close(theirs)
    with os.fdopen(ours, encoding="utf-8", errors="replace") as pipe:
        lines = [line for line in pipe if line.startswith("{") and line.endswith("}\n")]
    status = os.waitpid(child, 0)[1]
    return json.loads(lines[-1]) if lines else {"state": "failed", "why": f"ended with status {status}"}


def main(arguments: list[str]) -> int:
    """The table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("folders", type=Path, nargs="+", metavar="FOLDER")
    parser.add_argument("--list", action="store_true", dest="listed")
    options = parser.parse_args(arguments)
    failed = 0
    print("| set |", " | ".join(COLUMNS), "|\n|---|" + "---|" * len(COLUMNS))
    for folder in options.folders:
        counts: Counter[str] = Counter()
        for path in sorted(folder.rglob("*")):
            if not path.is_file() or path.suffix.lower() not in {*SUFFIXES, ".pam"}:
                continue
            answer = in_a_process(path)
            found = answer.get("found", "")
            counts.update(["files", answer["state"], *([found, "compared"] if found else [])])
            if options.listed and (answer["state"] != "read" or found in {"said", "silent"}):
                said = " ".join(filter(None, (answer["state"], found, answer.get("size"), answer.get("why"))))
                print(f"{path.relative_to(folder)}: {said}", file=sys.stderr)
        failed += counts["failed"]
        print(f"| {folder.name} |", " | ".join(str(counts[column]) for column in COLUMNS), "|", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
