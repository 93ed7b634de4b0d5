"""`vitiq`, which `python -m vitiq` is too."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the program; Ctrl-C is one line from here on, after Python itself and `import vitiq` (some 20 ms)."""
    try:
        from vitiq.cli.main import main as run  # noqa: PLC0415 - most of a start is this import

        run()
    except KeyboardInterrupt:  # in the import, or before `run` answers it itself
        sys.stderr.write("vitiq: error: stopped\n")
        sys.exit(130)


if __name__ == "__main__":
    main()
