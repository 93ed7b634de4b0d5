"""What the tests in a browser share."""

from __future__ import annotations

import time
from typing import Any


def until(page: Any, what: str, seconds: float = 90) -> None:
    """Wait for an expression to be true.

    Playwright's own wait compiles the expression inside the page, which the page's security policy forbids.
    """
    end = time.monotonic() + seconds
    while not page.evaluate(what):
        assert time.monotonic() < end, f"never became true: {what}"
        page.wait_for_timeout(60)


def loaded(page: Any) -> None:
    """Wait for the images of the compare view."""
    until(page, "[...document.querySelectorAll('.pix img')].every(i => i.complete && i.naturalWidth)")
