"""Butteraugli, the perceptual distance that JPEG XL is tuned with, by libjxl's own program.

Alakuijala et al. (libjxl): the 3-norm of its map of differences is the value, the largest in the details. The program
`butteraugli_main` is in Debian's libjxl-devtools (libjxl 0.7). Both depend on how bright the screen is: 80 nits by
default, as in the program; at 203 nits, which others report, values are about a third larger. Large images go through
it in tiles (`butteraugli_map`).
"""

from __future__ import annotations

import hashlib
import math
import re
import shutil
from functools import lru_cache
from pathlib import Path

from vitiq.errors import InputError, MissingDependencyError, UndefinedError
from vitiq.metrics.measured import MeasuredMetric
from vitiq.metrics.perceptual.butteraugli_map import LARGE, Pooled, map_source, pooled_by_tiles, write_pair
from vitiq.metrics.programs import output_of
from vitiq.temporary import temporary_folder
from vitiq.types import ImageU8, Score

PROGRAM = "butteraugli_main"


@lru_cache(maxsize=4)
def _hash(program: str) -> str:
    return hashlib.sha256(Path(program).read_bytes()).hexdigest()[:12]


class Butteraugli(MeasuredMetric):
    """Butteraugli's 3-norm; details hold the maximum. About 1 is just seen.

    Args:
        intensity: brightness of the screen's white in nits, above 0 to 10,000.
    """

    name = "butteraugli"
    title = "Butteraugli (3-norm)"
    range = (0.0, math.inf)
    higher_is_better = False
    reference = "https://github.com/libjxl/libjxl (butteraugli_main, libjxl 0.7)"
    formula = "3-norm of a map of differences in a model of the eye's channels"
    parameter = "intensity"
    smallest = 8

    def __init__(self, intensity: str = "80") -> None:
        try:
            self.intensity = float(intensity)
        except ValueError:
            self.intensity = math.nan
        if not 0 < self.intensity <= 10_000:
            raise InputError(f"butteraugli@{intensity} given, a brightness in nits above 0 to 10000 expected")
        if self.intensity != 80:
            self.name = f"{type(self).name}@{self.intensity:g}"

    def signature(self) -> str:
        """The program by its hash, brightness and norm."""
        program = shutil.which(PROGRAM)
        found = "missing" if program is None else _hash(program)
        return f"{self.name}|program:{found}|intensity:{self.intensity:g}|norm:3|v1"

    def require(self) -> str:
        """The program."""
        program = shutil.which(PROGRAM)
        if program is None:
            raise MissingDependencyError(
                f"{self.name} needs the program {PROGRAM}: install libjxl-devtools (Debian, Ubuntu) or libjxl's tools"
            )
        return program

    def __call__(self, reference: ImageU8, distorted: ImageU8) -> Score:
        """The 3-norm; details: max. MissingDependencyError without the program."""
        program = self.require()
        self.check_size(reference)
        maps = map_source(program) if reference.size > 3 * LARGE else None
        if maps is not None:
            norm, largest = pooled_by_tiles(maps, reference, distorted, self.intensity)
        else:
            norm, largest = self._whole(program, reference, distorted)
        return Score(norm, self.signature(), {"max": largest})

    def _whole(self, program: str, reference: ImageU8, distorted: ImageU8) -> Pooled:
        """What the program prints for two images."""
        with temporary_folder() as folder:
            names = write_pair(folder, reference, distorted)
            settings = ["--intensity_target", f"{self.intensity:g}", "--pnorm", "3"]
            printed = output_of([program, *names, *settings], folder)
        found = re.search(r"^([0-9.]+)\s+3-norm: ([0-9.]+)", printed)
        if found is None:
            raise UndefinedError(f"{PROGRAM} printed {printed[:80]!r}, a distance and a 3-norm expected")
        return Pooled(float(found[2]), float(found[1]))

    def measure(self, reference: ImageU8, distorted: ImageU8) -> float:
        """As the call."""
        return self(reference, distorted).value
