"""The page: one self-contained HTML file from a template."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from vitiq import __version__
from vitiq.report.judges import warning
from vitiq.report.tables import Table, p_text, score_details, text
from vitiq.types import Record


@dataclass(frozen=True, slots=True)
class Shown:
    """A reconstruction on the page: its record and the image as a data URI."""

    record: Record
    uri: str


@dataclass(frozen=True, slots=True)
class ImagePage:
    """Everything the page shows of one image.

    Attributes:
        record: the main codec's.
        original: data URI.
        shown: reconstructions at equal bytes, the main codec's first.
        labels: shared labels.
        charts: SVG text by name (latent, loss).
        strip: iteration and data URI of each preview.
        maps: where meaning was lost, a figure a reconstruction.
    """

    record: Record
    original: str
    shown: Sequence[Shown]
    labels: Table
    charts: Mapping[str, str]
    strip: Sequence[tuple[int, str]]
    maps: Sequence[Shown]


def render(  # noqa: PLR0917 - the parts of the page
    run: Mapping[str, Any],
    records: Sequence[Record],
    sets: Mapping[str, Any],
    tables: Sequence[Table],
    charts: Mapping[str, str],
    pages: Sequence[ImagePage],
) -> str:
    """The page's HTML; every value is escaped but our own SVG."""
    from jinja2 import Environment, PackageLoader, StrictUndefined  # noqa: PLC0415 - imported where used
    from markupsafe import Markup  # noqa: PLC0415

    environment = Environment(
        loader=PackageLoader("vitiq.report", "templates"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    environment.filters.update(num=text, p=p_text, svg=Markup, pretty=_pretty)
    environment.globals.update(details=score_details, warning=warning)
    return environment.get_template("report.html.j2").render(
        run=run, records=records, sets=sets, tables=tables, charts=charts, pages=pages, version=__version__
    )


def _pretty(value: object) -> str:
    return json.dumps(value, indent=1, ensure_ascii=False, sort_keys=True)
