"""Decode a file again in other processes, under other settings of the machine, and compare the images.

Entropy decoding is exact everywhere; a float network may round differently under other vector instructions. A process
of its own a setting, since the libraries read their limits once.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from vitiq.errors import TaskError
from vitiq.image.io import read_image
from vitiq.temporary import temporary_folder
from vitiq.types import ImageU8

ALLOWED = 1
"""Largest difference of a pixel, in levels of 8 bits, that rounding may make."""


@dataclass(frozen=True, slots=True)
class Setting:
    """How a file is decoded again.

    Attributes:
        name: as it is reported.
        variables: of the environment.
        program: Python that is run before the decoder.
    """

    name: str
    variables: Mapping[str, str] = field(default_factory=dict)
    program: str = ""


SETTINGS = (
    Setting("1 thread", {"OMP_NUM_THREADS": "1"}),
    Setting("2 threads", {"OMP_NUM_THREADS": "2"}),
    Setting("at most SSE4.1", {"ATEN_CPU_CAPABILITY": "default", "ONEDNN_MAX_CPU_ISA": "SSE41"}),
    Setting("without oneDNN", program="import torch; torch.backends.mkldnn.set_flags(False)"),
)


def differences(
    file: Path, image: ImageU8, options: Mapping[str, object] | None = None
) -> Iterator[tuple[Setting, int]]:
    """Largest difference, in levels, between `image` and what the file gives under each setting.

    Args:
        file: compressed file.
        image: what it gives in this process.
        options: of the codec, as `vitiq decode -O` takes them.

    Raises:
        TaskError: it cannot be decoded under a setting, or to another size.
    """
    for setting in SETTINGS:
        found = decode_under(setting, file, options)
        if found.shape != image.shape:
            raise TaskError(
                f"{file}: {setting.name}: decoded to {found.shape[1]}×{found.shape[0]} pixels, not the same"
            )
        yield setting, int(np.abs(found.astype(np.int16) - image).max())


def decode_under(setting: Setting, file: Path, options: Mapping[str, object] | None = None) -> ImageU8:
    """The image that another process decodes under a setting.

    Raises:
        TaskError: it does not.
    """
    program = f"{setting.program}\nfrom vitiq.cli.main import main\nmain()"
    with temporary_folder() as folder:
        target = folder / "image.png"
        command = [sys.executable, "-c", program, "decode", "-o", str(target), "--", str(file)]
        command[-2:-2] = [word for key, value in (options or {}).items() for word in ("-O", f"{key}={value}")]
        done = subprocess.run(command, env=os.environ | setting.variables, capture_output=True, check=False)
        if done.returncode:
            said = (done.stderr.decode("utf-8", "replace").strip().splitlines() or ["no message"])[-1]
            raise TaskError(f"{file}: {setting.name}: not decoded, exit code {done.returncode} ({said})")
        return read_image(target)
