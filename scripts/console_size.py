"""How much a browser loads before the console's first page: the scripts and styles that index.html names, compressed.

Usage: python scripts/console_size.py [DIR]   exits 1 above the limit. DIR is a build; the package's by default.
"""

from __future__ import annotations

import gzip
import sys
from html.parser import HTMLParser
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
BUILT = ROOT / "src" / "remit" / "console"
LIMIT = 200 * 1024
"""Bytes."""


class Named(HTMLParser):
    """The files that a page loads at once."""

    def __init__(self) -> None:
        super().__init__()
        self.files: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note a script, a style, or a module that is fetched beforehand."""
        given = dict(attrs)
        if tag == "script" and given.get("src"):
            self.files.append(str(given["src"]))
        if tag == "link" and given.get("rel") in ("stylesheet", "modulepreload"):
            self.files.append(str(given["href"]))


def start_files(built: Path) -> dict[str, int]:
    """The compressed size of each file that the page loads at once, in bytes."""
    page = Named()
    page.feed((built / "index.html").read_text())
    return {name: len(gzip.compress((built / name).read_bytes(), 9)) for name in page.files}


def main() -> int:
    """The command."""
    built = Path(sys.argv[1]) if len(sys.argv) > 1 else BUILT
    if not (built / "index.html").exists():
        print(f"there is no console in {built}: make console", file=sys.stderr)
        return 1
    sizes = start_files(built)
    total = sum(sizes.values())
    for name, size in sorted(sizes.items(), key=lambda item: -item[1]):
        print(f"{size / 1024:8.1f} KB  {name}")
    print(f"{total / 1024:8.1f} KB  of {LIMIT / 1024:.0f} KB at the start, compressed")
    return 0 if total <= LIMIT else 1


if __name__ == "__main__":
    raise SystemExit(main())
