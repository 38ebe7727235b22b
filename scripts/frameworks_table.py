"""Write the table of the governance suite into docs/howto/frameworks.md, from the suite itself. `--check` compares.

Usage: python scripts/frameworks_table.py [--check]
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SUITE = ROOT / "tests" / "frameworks" / "test_governance.py"
PAGE = ROOT / "docs" / "howto" / "frameworks.md"
BEGIN, END = "<!-- the governance suite -->", "<!-- end of the governance suite -->"
COLUMNS = {
    "langgraph": "LangGraph",
    "crewai": "CrewAI",
    "agent_framework": "Agent Framework",
    "strands": "Strands",
    "remit": "Remit's own",
}


def cases() -> Iterator[tuple[str, dict[str, str]]]:
    """What each test says, and the frameworks that it says nothing about, with reasons."""
    for node in ast.parse(SUITE.read_text()).body:
        if isinstance(node, ast.AsyncFunctionDef) and node.name.startswith("test_"):
            says = " ".join((ast.get_docstring(node) or "").split())
            yield says, dict(reason for each in node.decorator_list for reason in reasons(each))


def reasons(decorator: ast.expr) -> Iterator[tuple[str, str]]:
    """What a marker `not_for(name="reason")` says."""
    if isinstance(decorator, ast.Call) and ast.unparse(decorator.func) == "pytest.mark.not_for":
        yield from ((str(k.arg), ast.literal_eval(k.value)) for k in decorator.keywords)


def table() -> str:
    """The table."""
    lines = ["| |" + "|".join(COLUMNS.values()) + "|", "|---" * (len(COLUMNS) + 1) + "|"]
    for says, without in cases():
        cells = (f"n/a: {without[name]}" if name in without else "yes" for name in COLUMNS)
        lines.append(f"| {says} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main() -> int:
    """Write the page, or say that it differs."""
    page = PAGE.read_text()
    head, _, rest = page.partition(BEGIN)
    _, _, tail = rest.partition(END)
    made = f"{head}{BEGIN}\n{table()}\n{END}{tail}"
    if "--check" in sys.argv[1:]:
        if made != page:
            print(
                f"{PAGE.relative_to(ROOT)} differs from the suite: run `python scripts/frameworks_table.py`",
                file=sys.stderr,
            )
        return int(made != page)
    PAGE.write_text(made)
    return 0


if __name__ == "__main__":
    sys.exit(main())
