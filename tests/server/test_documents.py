"""Documents over HTTP: added, searched, cited, deleted; each tenant's own."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

import pytest

pytest.importorskip("numpy", reason='the extra "remit[documents]" is not installed')

if TYPE_CHECKING:
    from conftest import Site

KETTLE = "# Kettle\n\nThe kettle switches off before the water boils."
AT = "/api/v1/documents"


def test_a_document_is_added_searched_read_and_deleted(site: Site) -> None:
    """By an editor, and read by any viewer of the tenant; a passage's citation leads to its very text."""
    with site.client("adam") as adam, site.client("vera") as vera, site.client("zoe") as zoe:
        added = adam.put(f"{AT}/kettle", json={"text": KETTLE, "source": "kettle.md", "tags": ["home"]})
        assert (added.status_code, added.json()["title"], added.json()["trust"]) == (
            200,
            "Kettle",
            "untrusted",
        )
        assert vera.put(f"{AT}/kettle", json={"text": "mine"}).status_code == 403
        assert [d["document_id"] for d in vera.get(AT).json()["items"]] == ["kettle"]
        (passage,) = vera.get("/api/v1/passages", params={"query": "kettle stops", "tag": "home"}).json()[
            "items"
        ]
        span = {"start": passage["start"], "end": passage["end"]}
        read = vera.get(f"{AT}/kettle/text", params=span).json()
        assert (read["text"], read["citation"]) == (passage["text"], passage["citation"])
        assert vera.get(f"{AT}/kettle/text").json()["text"] == KETTLE
        for answer in (zoe.get(f"{AT}/kettle"), zoe.get(f"{AT}/kettle/text"), zoe.delete(f"{AT}/kettle")):
            assert answer.status_code == 404
        assert zoe.get("/api/v1/passages", params={"query": "kettle"}).json()["items"] == []
        assert adam.delete(f"{AT}/kettle").status_code == 204
        assert vera.get(f"{AT}/kettle").status_code == 404


def test_bytes_come_in_base64(shared: Site) -> None:
    """And what they are is seen from the name, or said."""
    with shared.client("adam") as adam:
        data = base64.b64encode("é".encode("latin-1")).decode()
        body = {"data": data, "media_type": "text/plain; charset=latin-1"}
        assert adam.put(f"{AT}/e", json=body).json()["characters"] == 1
        assert adam.get(f"{AT}/e/text").json()["text"] == "é"


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"text": "a", "data": "YQ=="},
        {"data": "no base64!"},
        {"text": " "},
        {"text": "a", "tags": ["?"]},
        {"text": "a", "trust": "yes"},
    ],
)
def test_what_does_not_fit_is_422(shared: Site, body: dict[str, object]) -> None:
    """As a problem with a code."""
    with shared.client("adam") as adam:
        answer = adam.put(f"{AT}/x", json=body)
        assert (answer.status_code, answer.json()["status"]) == (422, 422)
