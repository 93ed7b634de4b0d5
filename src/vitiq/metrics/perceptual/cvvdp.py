"""ColorVideoVDP by its authors' package `cvvdp`, for a display that the signature names.

Mantiuk et al. 2024 (DOI 10.1145/3658144). In just-objectionable differences: 10 is no difference.
"""

from __future__ import annotations

import math
import warnings
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from vitiq.errors import InputError, MissingDependencyError, UndefinedError, described
from vitiq.metrics.measured import MeasuredMetric
from vitiq.types import ImageU8

DISPLAY = "standard_4k"


class Cvvdp(MeasuredMetric):
    """ColorVideoVDP of a still image.

    Args:
        display: a display model of the package: `standard_4k`, `standard_fhd`, `standard_phone`, …
    """

    name = "cvvdp"
    title = "ColorVideoVDP"
    unit = "JOD"
    range = (-math.inf, 10.0)
    higher_is_better = True
    reference = "Mantiuk et al. 2024, DOI 10.1145/3658144"
    formula = "10 less the pooled visible contrast differences of a display's light"
    parameter = "display"
    smallest = 2

    def __init__(self, display: str = DISPLAY) -> None:
        self.display = display
        if display != DISPLAY:
            self.name = f"{type(self).name}@{display}"
        self._model: Any = None

    def signature(self) -> str:
        """Version of the package and the display model."""
        try:
            found = version("cvvdp")
        except PackageNotFoundError:
            found = "missing"
        return f"{self.name}|cvvdp:{found}|display:{self.display}|v1"

    def require(self) -> Any:
        """As `model`."""
        return self.model()

    def model(self) -> Any:
        """The package's metric on the CPU.

        Raises:
            MissingDependencyError: the package is not found, or not usable beside this torch.
            InputError: no such display.
        """
        if self._model is None:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                try:
                    import pycvvdp  # noqa: PLC0415 - an extra
                    import torch  # noqa: PLC0415 - imported where used
                except Exception as error:  # torchvision beside another torch fails in many ways
                    raise MissingDependencyError(
                        f"cvvdp needs its package beside torch and torchvision that match: "
                        f"run pip install 'vitiq[cvvdp]' ({str(error).splitlines()[0]})"
                    ) from error
                try:
                    self._model = pycvvdp.cvvdp(display_name=self.display, quiet=True, device=torch.device("cpu"))
                except (RuntimeError, KeyError, pycvvdp.vq_exception) as error:
                    raise InputError(f"cvvdp@{self.display} given, a display model of cvvdp expected") from error
        return self._model

    def measure(self, reference: ImageU8, distorted: ImageU8) -> float:
        """The quality in JOD."""
        import torch  # noqa: PLC0415 - imported where used

        from vitiq.metrics.perceptual.cvvdp_rows import LARGE, can_go_by_rows, jod_by_rows  # noqa: PLC0415 - torch

        model = self.model()
        with torch.no_grad(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                if reference.size > 3 * LARGE and can_go_by_rows(model):
                    return jod_by_rows(model, reference, distorted)
                quality, _ = model.predict(distorted, reference, dim_order="HWC")
            except Exception as error:  # whatever the package raises
                raise UndefinedError(f"the package cvvdp fails on these images ({described(error)})") from error
        return float(quality)
