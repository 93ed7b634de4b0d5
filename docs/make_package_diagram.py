"""Draw the packages and their imports from the code itself: `python docs/make_package_diagram.py`.

Rows are the layers of the import contract in `pyproject.toml`; an arrow is an import. An arrow that a longer way along
other arrows implies is left out (transitive reduction), so that what remains can be followed.
"""

from __future__ import annotations

import tomllib
from html import escape
from itertools import permutations
from pathlib import Path

import grimp

ROOT = Path(__file__).parents[1]
TARGET = ROOT / "docs" / "images" / "packages.svg"
WIDTH, ROW, BOX, HEIGHT = 1080, 84, 110, 40
"""Pixels: of the page, from row to row, of a box."""


def layers() -> list[list[str]]:
    """Names of the packages, a list a layer from the top, as the first import contract has them."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"]
    rows = next(contract["layers"] for contract in settings["contracts"] if contract["type"] == "layers")
    return [[name.strip().removeprefix("vitiq.") for name in row.replace(":", "|").split("|")] for row in rows]


def imports(names: list[str]) -> set[tuple[str, str]]:
    """Pairs (importer, imported) of packages, without those that longer ways imply."""
    graph = grimp.build_graph("vitiq", cache_dir=None)
    pairs = {(a, b) for a, b in permutations(names, 2) if _imports(graph, a, b)}
    return {
        (a, c) for a, c in pairs if not any((a, b) in pairs and _reaches(pairs, b, c) for b in names if b not in {a, c})
    }


def _imports(graph: grimp.ImportGraph, importer: str, imported: str) -> bool:
    return graph.direct_import_exists(importer=f"vitiq.{importer}", imported=f"vitiq.{imported}", as_packages=True)


def _reaches(pairs: set[tuple[str, str]], start: str, end: str) -> bool:
    seen, todo = {start}, [start]
    while todo:
        here = todo.pop()
        if here == end:
            return True
        ahead = {b for a, b in pairs if a == here} - seen
        seen |= ahead
        todo += sorted(ahead)
    return False


def svg() -> str:
    """The drawing."""
    rows = layers()
    places = {
        name: (round((i + 0.5) * WIDTH / len(row)), 30 + ROW * level)
        for level, row in enumerate(rows)
        for i, name in enumerate(row)
    }
    lines = []
    for a, b in sorted(imports(list(places))):
        (x1, y1), (x2, y2) = places[a], places[b]
        y1, y2 = y1 + HEIGHT // 2, y2 - HEIGHT // 2 - 3
        bend = (y2 - y1) // 2
        lines.append(f'<path d="M{x1} {y1}C{x1} {y1 + bend} {x2} {y2 - bend} {x2} {y2}" marker-end="url(#end)"/>')
    boxes = [
        f'<rect x="{x - BOX // 2}" y="{y - HEIGHT // 2}" width="{BOX}" height="{HEIGHT}" rx="6"/>'
        f'<text x="{x}" y="{y + 5}">{escape(name)}</text>'
        for name, (x, y) in places.items()
    ]
    height = 30 + ROW * (len(rows) - 1) + 40
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img">',
            "<title>Packages of vitiq: an arrow is an import, all arrows point down</title>",
            "<style>rect{fill:#fff;stroke:#345}text{font:15px sans-serif;text-anchor:middle;fill:#123}"
            "path{fill:none;stroke:#89a;stroke-width:1.3}</style>",
            '<rect width="100%" height="100%" style="fill:#fafbfc;stroke:none"/>',
            '<defs><marker id="end" markerWidth="8" markerHeight="8" refX="6" refY="3" orient="auto">'
            '<path d="M0 0L6 3L0 6z" style="fill:#89a;stroke:none"/></marker></defs>',
            *lines,
            *boxes,
            "</svg>\n",
        ]
    )


if __name__ == "__main__":
    TARGET.write_text(svg(), encoding="utf-8")
