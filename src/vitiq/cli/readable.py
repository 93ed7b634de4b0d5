"""Text for streams whose encoding lacks some of its characters: × becomes x, what has no likeness an escape.

click writes UTF-8 to a standard output that says it is ASCII, since that mostly is a broken locale. Who asks for ASCII
(PYTHONIOENCODING=ascii) gets it: `prepare` hands out a codec of another name that writes the same bytes.
"""

from __future__ import annotations

import codecs
import re
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


CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
"""What moves a terminal's cursor, colours it or turns the direction of writing; tabs and line ends are let through."""
LONGEST = 2000
"""Characters of a line about an error: who gave a megabyte need not read it again."""


def tame(text: str, *, line: bool = False) -> str:
    """A text whose names cannot steer a terminal: control characters as escapes; with `line`, line ends too.

    Example:
        >>> tame("a\x1b[31m.png")
        'a\\\\x1b[31m.png'
    """
    if line:
        text = text.replace("\n", "\\n").replace("\t", "\\t")
    return CONTROL.sub(lambda found: found[0].encode("unicode_escape").decode("ascii"), text)


def shortened(text: str) -> str:
    """At most `LONGEST` characters, the middle left out."""
    half = LONGEST // 2
    return text if len(text) <= LONGEST else f"{text[:half]} … {text[-half:]}"


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
