"""What was asked of a codec: a quality, or a size that a file may exceed."""

from __future__ import annotations

import math
from collections.abc import Sequence

from vitiq.evaluation.record import Record
from vitiq.evaluation.schema import MAIN, MAIN_APART
from vitiq.report.metric_info import number_text
from vitiq.types import Bytes


def asked_bytes(record: Record) -> float | None:
    """Bytes that were asked for; None where a quality was."""
    if record.rate_kind == "bytes":
        return record.rate_value
    if record.rate_kind == "bpp":
        return Bytes.per_pixel(record.rate_value, record.width, record.height).count
    return None


def of_main_codec(record: Record) -> bool:
    """Whether the file is of the codec that the others are compared with, at a rate of its own."""
    return record.details.get("group") in {MAIN, MAIN_APART}


def sets_the_size(record: Record) -> bool:
    """Whether the other codecs were asked for the size of this file."""
    return record.details.get("group") == MAIN


def common_setting(own: Sequence[Record]) -> str:
    """What was asked of the codec of several images, in words."""
    if own[0].nearest and len({record.rate_value for record in own}) > 1:
        return "closest to the bytes asked for of each image"
    return setting_text(own[0])


def setting_text(record: Record) -> str:
    """What was asked of the codec, in words."""
    if record.rate_kind == "bytes":
        return f"{'closest to' if record.nearest else 'at most'} {number_text(record.rate_value, 0)} bytes"
    if record.rate_kind == "bpp":
        return f"{record.rate_value:g} bits per pixel"
    return "as given" if record.quality is None else f"quality {record.rate_value:.10g}"


def excess(own: Sequence[Record]) -> float:
    """How much larger than requested the files that are too large are, together, as a share; NaN without one."""
    over = [record for record in own if not record.reached]
    asked = sum(asked_bytes(record) or 0.0 for record in over)
    return sum(record.bytes for record in over) / asked - 1 if asked else math.nan
