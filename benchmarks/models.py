"""Every goal of the embedded models beside the figure reached: `make benchmark-models`.

    python benchmarks/models.py [vit] [generator] [codec] [artefacts] [deblock] [classifier] [seconds]
        [--docs docs/reference/models.md]

Prints a Markdown table, a part after the other, and with --docs writes each part's between its marks in the page. Data
that vitiq does not ship is looked for in the folder $VITIQ_DATA: the Kodak images, two real ViTs, training images,
published tables. A part without it is skipped, and says so. All take about half an hour on two cores; most of it
is the inversion of twelve images.
"""

from __future__ import annotations

import argparse
import re
from pathlib import Path

import goals_artefacts
import goals_classifier
import goals_codec
import goals_deblock
import goals_generator
import goals_seconds
import goals_vit
from goals import AbsentError, Part, data_folder

from vitiq.errors import WeightsError

PARTS: dict[str, Part] = {
    "vit": goals_vit.part,
    "generator": goals_generator.part,
    "codec": goals_codec.part,
    "artefacts": goals_artefacts.part,
    "classifier": goals_classifier.part,
    "deblock": goals_deblock.part,
    "seconds": goals_seconds.part,
}
HEAD = "| figure | goal | reached | | |\n|---|---:|---:|---|---|"


def put(page: Path, name: str, lines: list[str]) -> None:
    """Replace a part's table in the page, between `<!-- name -->` and `<!-- end -->`."""
    text = page.read_text(encoding="utf-8")
    table = "\n".join([f"<!-- {name} -->", HEAD, *lines, "<!-- end -->"])
    text, found = re.subn(rf"<!-- {name} -->.*?<!-- end -->", lambda _: table, text, flags=re.DOTALL)
    if found != 1:
        raise SystemExit(f"{page}: {found} places marked <!-- {name} --> … <!-- end -->, one expected")
    page.write_text(text, encoding="utf-8")


def main() -> None:
    """Print the table, and write it where asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", choices=[[], *PARTS], help="all if none is given")
    parser.add_argument("--docs", type=Path, help="page to write the tables to")
    given = parser.parse_args()
    print(HEAD)
    for name in given.parts or list(PARTS):
        lines: list[str] = []
        try:
            for figure in PARTS[name](data_folder()):
                lines.append(figure.line())
                print(lines[-1], flush=True)
            if given.docs:
                put(given.docs, name, lines)
        except (AbsentError, WeightsError) as error:
            print(f"| {name} | | | skipped | {error} |", flush=True)


if __name__ == "__main__":
    main()
