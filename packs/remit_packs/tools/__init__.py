"""Tools that any agent may be given: a database, code, charts, the web, documents, memory, state, HTTP and e-mail drafts.

from remit import Agent
from remit_packs.tools import run_python, web_search

analyst = Agent("analyst", instructions="Answer with numbers.", tools=[web_search, run_python])

As a pack (`packs = ["tools"]`) it has them all, for agents of the registry, which name their tools. `database_tools` of
`remit_packs.tools.sql` makes those of a database.
"""

from __future__ import annotations

from pathlib import Path

from remit.sdk import Pack
from remit_packs.tools.charts import draw_chart
from remit_packs.tools.code import run_python
from remit_packs.tools.documents import read_document, search_documents
from remit_packs.tools.email import draft_email
from remit_packs.tools.http import http_get, http_request
from remit_packs.tools.memory import forget, recall, remember
from remit_packs.tools.state import delete_state, get_state, put_state
from remit_packs.tools.web import fetch_page, web_search

TOOLS = (
    delete_state,
    draft_email,
    draw_chart,
    fetch_page,
    forget,
    get_state,
    http_get,
    http_request,
    put_state,
    read_document,
    recall,
    remember,
    run_python,
    search_documents,
    web_search,
)

__all__ = [
    "TOOLS",
    "delete_state",
    "draft_email",
    "draw_chart",
    "fetch_page",
    "forget",
    "get_state",
    "http_get",
    "http_request",
    "pack",
    "put_state",
    "read_document",
    "recall",
    "remember",
    "run_python",
    "search_documents",
    "web_search",
]


def pack(home: Path | str | None = None) -> Pack:
    """The tools as a pack. They keep nothing of their own, so `home` is not used."""
    del home
    return Pack("tools", tools=TOOLS, description="Tools that any agent may be given.")
