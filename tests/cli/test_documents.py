"""`remit documents`: from a folder to a citation."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

pytest.importorskip("numpy", reason='the extra "remit[documents]" is not installed')

from remit.cli.documents import id_of

if TYPE_CHECKING:
    from conftest import Remit


def test_a_folder_is_added_searched_shown_and_deleted(remit: Remit, project: Path) -> None:
    """A citation on the command line shows the very characters; adding again replaces."""
    folder = project / "manuals"
    (folder / "sub" / ".git").mkdir(parents=True)
    (folder / "kettle.md").write_text("# Kettle\n\nThe kettle switches off early.")
    (folder / "sub" / "router.txt").write_text("A red light means no internet.")
    (folder / "sub" / ".git" / "x.txt").write_text("not this")
    (folder / "picture.png").write_bytes(b"\x89PNG")
    for _ in range(2):
        added = remit("documents", "add", "manuals", "--tag", "home", "--json").document["items"]
        assert [d["source"] for d in added] == ["kettle.md", "sub/router.txt"]
    assert len(remit("documents", "list", "--json").document["items"]) == 2
    best = remit("documents", "search", "kettles switching", "--json").document["items"][0]
    assert remit("documents", "show", best["citation"]).out.strip() == best["text"]
    assert "no internet" in remit("documents", "show", added[1]["document_id"]).out
    assert remit("documents", "delete", "kettle.md").code == 0
    assert remit("documents", "search", "kettle", "--tag", "nowhere", "--json").document["items"] == []
    assert remit("documents", "show", "kettle.md").code == 2
    assert remit("documents", "reindex").code == 0


def test_what_cannot_be_added_is_told(remit: Remit, project: Path) -> None:
    """A folder without anything to read, an id for several files."""
    (project / "empty").mkdir()
    assert remit("documents", "add", "empty").code == 3
    (project / "a.txt").write_text("a")
    (project / "b.txt").write_text("b")
    assert remit("documents", "add", "a.txt", "b.txt", "--id", "x").code == 2


def test_ids_of_files_are_readable_and_their_own() -> None:
    """The same name has the same id; names that differ do not meet."""
    assert id_of("kettle.md") == "kettle.md"
    names = ["a/b.md", "a-b.md", "a b.md", "A/b.md", "é.md", "..", "x" * 300, "x" * 301]
    assert len({id_of(name) for name in names}) == len(names)
