"""Line and marker of a codec as a small drawing, the same as in charts and paper figures."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vitiq.report.style import CodecStyle

if TYPE_CHECKING:
    from markupsafe import Markup

PATHS = {
    "circle": "M-5 0a5 5 0 1 0 10 0a5 5 0 1 0-10 0z",
    "square": "M-4.4-4.4h8.8v8.8h-8.8z",
    "triangle": "M0-5.4L5 4H-5z",
    "down": "M0 5.4L5-4H-5z",
    "diamond": "M0-5.8L5.2 0L0 5.8L-5.2 0z",
    "star": "M0-6L1.5-1.9L5.7-1.9L2.4.8L3.5 4.9L0 2.5L-3.5 4.9L-2.4.8L-5.7-1.9L-1.5-1.9z",
    "plus": "M-5 0H5M0-5V5",
    "cross": "M-4-4L4 4M-4 4L4-4",
}


def mark(style: CodecStyle, index: int) -> Markup:
    """Line and marker of a codec as a small drawing."""
    from markupsafe import Markup  # noqa: PLC0415 - with jinja2

    fill = "var(--ground)" if style.hollow else "currentColor"
    dash = f' stroke-dasharray="{" ".join(map(str, style.dash))}"' if style.dash else ""
    return Markup(
        f'<svg class="mark" data-codec="{index}" style="color:light-dark({style.light},{style.dark})" '
        f'viewBox="-13 -6 26 12" aria-hidden="true">'
        f'<path d="M-13 0H13" stroke="currentColor" stroke-width="1.6"{dash}/>'
        f'<path d="{PATHS[style.marker]}" fill="{fill}" stroke="currentColor" stroke-width="1.7"/></svg>'
    )
