"""The device that networks run on: named by the user, looked up before any work.

"cpu" is the default everywhere. Entropy coding and everything that decides what a file holds of symbols stays with
whole numbers on the CPU; networks on a GPU run in float32 without TF32, so that they differ from the CPU as two CPUs
with other vector instructions differ: in the last bits.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from inspect import isfunction
from typing import TYPE_CHECKING

from vitiq.errors import InputError, first_line

if TYPE_CHECKING:
    import torch

CPU, AUTO = "cpu", "auto"
NARROWED = ("cpu", "cuda", "mps", "xpu")
"""Kinds of device that torch has an autocast of."""


def find_device(name: str | torch.device) -> torch.device:
    """The device of a name, if a number can be put there and read back.

    Args:
        name: as torch names them: "cpu", "cuda", "cuda:1", …; "auto" for a GPU where torch sees one, else the CPU.

    Raises:
        InputError: torch has no such device here.

    Example:
        >>> find_device("cpu")
        device(type='cpu')
    """
    import torch  # noqa: PLC0415 - slow to import, and not needed to name the CPU

    if name == AUTO:
        name = "cuda" if torch.cuda.is_available() else CPU
    try:
        device = torch.device(name)
        torch.zeros(1, device=device).cpu()
    except (RuntimeError, AssertionError, NotImplementedError, TypeError) as error:
        others = _accelerators()
        known = f"cpu and {' and '.join(others)}" if others else "only cpu"
        said = first_line(error)
        if said.startswith("Expected one of"):  # torch lists twenty kinds, most of which no build has
            said = "expected cpu, cuda, cuda:1, … or auto"
        raise InputError(f"device {name!r} given, which torch does not have here ({said}); it has {known}") from error
    return device


def _accelerators() -> list[str]:
    """Kinds of accelerator that torch sees."""
    import torch  # noqa: PLC0415

    found = ["cuda"] if torch.cuda.is_available() else []
    torchs = getattr(torch, "accelerator", None)  # since torch 2.6; of a package of its own too, as Ascend's "npu"
    if torchs is not None and torchs.is_available():
        found.append(torchs.current_accelerator().type)
    return list(dict.fromkeys(found))


def device_name(given: str | torch.device | None) -> str:
    """The name of a device that a caller gave: looked up, "auto" decided; the CPU where none is given.

    Raises:
        InputError: as `find_device`.
    """
    return CPU if given is None or given == CPU else str(find_device(given))


def check_device(name: str) -> None:
    """Refuse a device that torch does not have here; the CPU is never asked for, so that torch is not imported.

    Raises:
        InputError: as `find_device`.
    """
    if name != CPU:
        find_device(name)


def device_identity(name: str) -> dict[str, str]:
    """What a device adds to a codec's identity: nothing for the CPU, else its kind, whose rounding can change bytes."""
    if name == CPU or (kind := find_device(name).type) == CPU:
        return {}
    return {"device": kind}


@contextmanager
def exact_convolutions(device: torch.device) -> Iterator[None]:
    """On a GPU, convolutions in whole float32 and by the same kernels each time; as they are elsewhere."""
    if device.type != "cuda":
        yield
        return
    import torch  # noqa: PLC0415

    with torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True, allow_tf32=False):
        yield


@contextmanager
def shielded(*kinds: str) -> Iterator[None]:
    """Numbers as in a process of their own, whatever a training around has set torch to: no autocast, new tensors on
    the CPU. Also serves as a decorator; does not import torch, and without it nothing is set.

    Args:
        kinds: of device that are in use, beside the usual ones.

    Example:
        >>> import torch
        >>> with torch.device("meta"), torch.autocast("cpu"), shielded():
        ...     (torch.ones(1, 1) @ torch.ones(1, 1)).dtype, torch.ones(1).device
        (torch.float32, device(type='cpu'))
    """
    if sys.modules.get("torch") is None:  # None where its import is barred
        yield
        return
    import torch  # noqa: PLC0415 - is there already

    with ExitStack() as stack:
        for kind in {*NARROWED, *kinds}:
            if torch.amp.is_autocast_available(kind) and torch.is_autocast_enabled(kind):
                stack.enter_context(torch.autocast(kind, enabled=False))
        if torch.empty(0).device.type != CPU:
            stack.enter_context(torch.device(CPU))
        yield


def shield(cls: type, *names: str) -> None:
    """Let those methods that a class itself defines run `shielded`; plug-ins' classes get it from their base."""
    for name in names:
        if isfunction(own := vars(cls).get(name)):
            setattr(cls, name, shielded()(own))
