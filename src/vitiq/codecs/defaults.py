"""Names of codecs that commands use where none is given: the one place, so that no other package names a codec."""

from __future__ import annotations

MAIN = "inversion"
"""The codec of the published experiment, whose size others are compared at."""

ENCODE = "generative"
"""The codec of `encode`."""

RUN = "generative"
"""The codec of `run`, which sets the size that others are compared at."""

COMPARATORS = ("generative", "jpeg", "jpeg2000", "webp", "avif", "jpeg-shrunk", "webp-shrunk", "avif-shrunk")
"""Codecs that a run compares at equal bytes."""

ALIASES = {"jpeg-downscaled": "jpeg-shrunk", "webp-downscaled": "webp-shrunk", "avif-downscaled": "avif-shrunk"}
"""Other names that are understood; files and records carry the registered one."""

LADDER = "jpeg"
LADDER_QUALITIES = (100.0, 80.0, 60.0, 40.0, 20.0, 10.0, 5.0, 1.0)
"""The codec of the thesis's ladder, and its qualities."""
