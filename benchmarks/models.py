"""Every goal of the embedded models beside the figure reached: `make benchmark-models`.

    python benchmarks/models.py [vit] [generator] [codec] [classifier]

Prints a Markdown table, a part after the other. Data that vitiq does not ship is looked for in the folder $VITIQ_DATA:
the Kodak pictures, two real ViTs, training pictures, published tables. A part without it is skipped, and says so. All
four take about half an hour on two cores; most of it is the inversion of twelve pictures.
"""

from __future__ import annotations

import argparse

import goals_classifier
import goals_codec
import goals_generator
import goals_vit
from goals import AbsentError, Part, data_folder

from vitiq.errors import WeightsError

PARTS: dict[str, Part] = {
    "vit": goals_vit.part,
    "generator": goals_generator.part,
    "codec": goals_codec.part,
    "classifier": goals_classifier.part,
}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", choices=[[], *PARTS], help="all if none is given")
    chosen = parser.parse_args().parts or list(PARTS)
    print("| figure | goal | reached | | |\n|---|---:|---:|---|---|")
    for name in chosen:
        try:
            for figure in PARTS[name](data_folder()):
                print(figure.line(), flush=True)
        except (AbsentError, WeightsError) as error:
            print(f"| {name} | | | skipped | {error} |", flush=True)


if __name__ == "__main__":
    main()
