"""Text for streams whose encoding lacks some of its characters: × becomes x, what has no likeness an escape.

click writes UTF-8 to a standard output that says it is ASCII, since that mostly is a broken locale. Who asks for ASCII
(PYTHONIOENCODING=ascii) gets it: `prepare` hands out a codec of another name that writes the same bytes.
"""

from __future__ import annotations

import codecs
from typing import Any

ERRORS = "vitiq-readable"
"""Name of the error handler, for `reconfigure(errors=…)` and `str.encode`."""
ASCII = "vitiq-ascii"
"""Name of the codec that is ASCII by another name."""

LIKENESS = {
    "×": "x",
    "…": "...",
    "·": "-",
    "–": "-",
    "−": "-",
    "±": "+-",
    "→": "->",
    "↑": "^",
    "↓": "v",
    "▲": "^",
    "≈": "~",
    "≤": "<=",
    "≥": ">=",
    "≠": "!=",
    "²": "^2",
    "³": "^3",
    "μ": "u",
    "µ": "u",
    "∞": "inf",
    "’": "'",
    "‘": "'",
    "“": '"',
    "”": '"',
    "─": "-",
    "│": "|",
    "├": "|",
    "└": "`",
    "█": "#",
    "░": ".",
}


def likeness(error: UnicodeError) -> tuple[str, int]:
    """Error handler: what is written in the place of characters that the encoding lacks."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    lost = error.object[error.start : error.end]
    shown = [LIKENESS.get(c) or c.encode("ascii", "backslashreplace").decode("ascii") for c in lost]
    return "".join(shown), error.end


def _find(name: str) -> codecs.CodecInfo | None:
    if name.replace("_", "-") != ASCII:
        return None
    plain = codecs.lookup("ascii")
    return codecs.CodecInfo(
        plain.encode, plain.decode, plain.streamreader, plain.streamwriter, plain.incrementalencoder,
        plain.incrementaldecoder, name=ASCII,
    )  # fmt: skip


codecs.register_error(ERRORS, likeness)
codecs.register(_find)


def reconfigure(stream: Any) -> None:
    """Let a text stream write what is readable in its encoding."""
    change = getattr(stream, "reconfigure", None)
    if change is None:
        return
    is_ascii = codecs.lookup(getattr(stream, "encoding", None) or "utf-8").name == "ascii"
    change(errors=ERRORS, **({"encoding": ASCII} if is_ascii else {}))
