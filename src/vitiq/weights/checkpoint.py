"""Tensors of weights files in the formats people own: safetensors, torch's own (.pth, .pt, .bin) and .npz.

Such a file comes from anywhere, so it is read as untrusted bytes: nothing in it is executed (pickles are read with
weights-only loading), what it unpacks to is bounded by its own size before anything is unpacked, and a tensor with a
number that is not finite is refused by name, since a network with one gives NaN for everything, whose ranks and shares
look like numbers.
"""

from __future__ import annotations

import math
import mmap
import re
import struct
import warnings
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file
from torch import Tensor

from vitiq.errors import WeightsError, first_line
from vitiq.image.formats import FORMATS, detect
from vitiq.npz import bounded_npz
from vitiq.wrong_kind import HEAD_BYTES, wrong_kind

LARGEST = 16 * 2**30
"""Bytes of a file at most: three times the largest Vision Transformer that is used to score images."""

HEADER = 16 * 2**20
"""Bytes of a safetensors header at most; a network of 1,000 layers has 1 MB."""

GROWTH, SPARE = 4, 256 * 2**20
"""A file may unpack to this many times its size and this much more: numbers of weights hardly compress."""


def read_checkpoint(path: Path, classes: Iterable[tuple[Any, str]] = ()) -> Mapping[Any, Any]:
    """What a weights file holds: a mapping, in which tensors lie as their writer put them.

    Args:
        classes: plain classes that a pickle may name besides torch's own, as `torch.serialization.safe_globals` takes
            them.

    Raises:
        WeightsError: missing, empty, damaged, too large, no checkpoint, or one that asks for code to be run.
    """
    if not path.is_file():
        raise WeightsError(f"{path}: no such weights file; check the path, or see `vitiq models list`")
    size = path.stat().st_size
    if size == 0:
        raise WeightsError(f"{path}: the weights file is empty, not a readable checkpoint; copy it again")
    if size > LARGEST:
        raise WeightsError(f"{path}: a weights file of {size} bytes given, at most {LARGEST} expected; give another")
    try:
        if path.suffix == ".safetensors":
            check_header(path)
            return dict(load_file(path))
        if path.suffix == ".npz":
            arrays = bounded_npz(path, _largest(path.stat().st_size))
            return {name: torch.from_numpy(array) for name, array in arrays.items()}
        refuse_wrong_kind(path)
        with path.open("rb") as file:
            packed = file.read(4) == b"PK\x03\x04"
        if packed:
            with zipfile.ZipFile(path) as archive:
                _check_unpacked(path, sum(member.file_size for member in archive.infolist()))
        with torch.serialization.safe_globals(list(classes)), warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # about a pickle's protocol
            loaded = torch.load(path, map_location="cpu", weights_only=True)
    except WeightsError:
        raise
    except (SafetensorError, OSError, ValueError, RuntimeError, zipfile.BadZipFile, EOFError, KeyError) as error:
        raise WeightsError(
            f"{path}: damaged or truncated weights, not a readable checkpoint ({first_line(error)}); copy it again"
        ) from error
    except Exception as error:  # pickle raises many kinds
        raise WeightsError(
            f"{path}: not a readable checkpoint of tensors ({_cause(error)}); save model.state_dict() by torch.save, "
            "or as .safetensors"
        ) from error
    if not isinstance(loaded, Mapping):
        raise WeightsError(
            f"{path}: holds no state dict of tensors but a {type(loaded).__name__}; save model.state_dict()"
        )
    return loaded


def refuse_wrong_kind(path: Path) -> None:
    """Raises WeightsError for what is no file of weights by its first bytes: a web page, an image, a pointer."""
    with path.open("rb") as file:
        head = file.read(HEAD_BYTES)
    said = None if head.startswith(b"PK\x03\x04") else wrong_kind(head)  # torch's files and .npz are zip archives
    form = detect(head)
    if form in FORMATS:
        said = f"a {FORMATS[form].title} image"
    if said is not None:
        raise WeightsError(f"{path}: weights are expected, this is {said}")


def names_tensor(path: Path, name: str) -> bool:
    """Whether a file of torch's own formats holds `name`, as names of tensors lie in it: searched for, not unpacked."""
    if path.suffix in {".safetensors", ".npz"} or not path.is_file() or path.stat().st_size == 0:
        return False
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        return data.find(name.encode()) >= 0


def _cause(error: Exception) -> str:
    """What a pickle asks for that is not read; torch's own message goes on to advise reading it all the same."""
    reason = re.search(r"Unsupported [^.]*?(?=\s+was\b|[.\n])", str(error))
    return f"it asks for more than tensors: {reason[0]}" if reason else type(error).__name__


def checked_tensors(path: Path, values: Mapping[Any, Any]) -> dict[str, Tensor]:
    """The tensors of a mapping, by their names as text.

    Raises:
        WeightsError: something that is no plain tensor, tensors larger than the file can hold, or a number in one that
            is not finite; the message names the tensor.
    """
    total = 0
    for name, value in values.items():
        if not isinstance(value, Tensor) or value.layout != torch.strided or value.is_meta or value.is_quantized:
            raise WeightsError(f"{path}: {name} is no tensor, or not a plain one; save model.state_dict()")
        total += value.numel() * value.element_size()
    _check_unpacked(path, total)
    for name, value in values.items():
        require_finite(path, str(name), value)
    return {str(name): value.detach() for name, value in values.items()}


def require_finite(path: Path, name: str, value: Tensor) -> None:
    """Raises WeightsError where a number of a tensor is not finite, in float32 too."""
    if not value.is_floating_point():
        return
    wide = value.float() if value.element_size() not in {2, 4} else value  # 8 bits have no test, 64 may not fit
    if not bool(torch.isfinite(wide).all()):
        bad = int((~torch.isfinite(wide)).sum())
        raise WeightsError(
            f"{path}: tensor {name} holds {bad} numbers that are not finite, of {value.numel()}; "
            f"the file is damaged, or its training failed: give another"
        )


def check_header(path: Path) -> None:
    """Raises WeightsError for a safetensors header larger than `HEADER` or the file, and for another kind of file."""
    with path.open("rb") as file:
        first, opened = file.read(8), file.read(1) == b"{"
    if not opened:  # a length may have the bytes that another format begins with
        refuse_wrong_kind(path)
    length = struct.unpack("<Q", first)[0] if len(first) == 8 else math.inf
    size = path.stat().st_size
    if length > min(HEADER, size - 8):
        raise WeightsError(
            f"{path}: not a readable safetensors file (a header of {length} bytes in a file of {size}, at most "
            f"{HEADER} expected); copy the file again"
        )


def read_safetensors(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Tensors and metadata of a safetensors file.

    Raises:
        WeightsError: damaged, or a number that is not finite.
        FileNotFoundError: there is no such file.
    """
    check_header(path)
    with safe_open(str(path), framework="pt") as file:
        metadata = dict(file.metadata() or {})
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    return checked_tensors(path, tensors), metadata


def _check_unpacked(path: Path, unpacked: int) -> None:
    size = path.stat().st_size
    if unpacked > _largest(size):
        raise WeightsError(
            f"{path}: a file of {size} bytes that unpacks to {unpacked}, at most {_largest(size)} expected; "
            f"these are no weights"
        )


def _largest(size: int) -> int:
    """Bytes that a file of a size may unpack to."""
    return GROWTH * size + SPARE
