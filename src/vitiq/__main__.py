"""`vitiq`, which `python -m vitiq` is too."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the program; Ctrl-C is one line from the first import on."""
    try:
        from vitiq.cli.main import main as run  # noqa: PLC0415 - most of a start is this import
    except KeyboardInterrupt:
        sys.stderr.write("vitiq: error: stopped\n")
        sys.exit(130)
    run()


if __name__ == "__main__":
    main()
