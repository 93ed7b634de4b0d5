"""What must hold before a release is uploaded; `make release` runs it first.

    python docs/check_release.py [FOLDER]

Prints a line for each thing that is missing; exit code 1 if there is one.
"""

from __future__ import annotations

import re
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]
URLS = ("Homepage", "Source", "Issues", "Changelog")


def findings(folder: Path) -> list[str]:
    """What is missing in a checkout."""
    project = tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    urls = project.get("urls", {})
    found = [
        f"pyproject.toml: [project.urls] has no {name}; give its https:// address"
        for name in URLS
        if not str(urls.get(name, "")).startswith("https://")
    ]
    citation = (folder / "CITATION.cff").read_text(encoding="utf-8")
    heading = re.search(r"^## (.*)$", (folder / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)
    stated = f"{_field(citation, 'version')} ({_field(citation, 'date-released')})"
    package = (folder / "src" / "vitiq" / "__init__.py").read_text(encoding="utf-8")
    versions = {"CITATION.cff": _field(citation, "version"), "vitiq.__version__": _field(package, "__version__")}
    found += [
        f"{place}: version {version}, in pyproject.toml {project['version']}"
        for place, version in versions.items()
        if version != project["version"]
    ]
    if heading is None or heading[1] != stated:
        found.append(f"CHANGELOG.md begins with {heading and heading[1]!r}, by CITATION.cff {stated!r} expected")
    return found


def _field(text: str, name: str) -> str:
    match = re.search(rf'^{name}(?:: | = )"?([^"\n]*)"?$', text, re.MULTILINE)
    return match[1] if match else "none"


if __name__ == "__main__":
    missing = findings(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT)
    for line in missing:
        print(line, file=sys.stderr)
    sys.exit(bool(missing))
