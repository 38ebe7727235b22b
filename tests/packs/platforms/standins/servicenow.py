"""ServiceNow's Table API as its reference describes it, with the client credentials grant."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

from tests.packs.platforms.standins.base import Answer, Asked, Standin


class ServiceNow(Standin):
    """Three tables. A work note goes into the journal and is not read back with the record."""

    platform = "servicenow"
    token_paths = ("/oauth_token.do",)

    def __init__(self) -> None:
        super().__init__()
        self.tables: dict[str, dict[str, dict[str, Any]]] = {
            "incident": {},
            "change_request": {},
            "problem": {},
        }
        self.journal: list[dict[str, str]] = []
        self.client_secret = "servicenow-client-secret-1234"

    def make_token(self, asked: Asked) -> Answer:
        if asked.form["client_secret"] != self.client_secret:
            return 401, {"error": "access_denied", "error_description": "access_denied"}
        return 200, {"access_token": self.token("sn"), "expires_in": 1800, "token_type": "Bearer"}

    def routes(self) -> list[tuple[str, Callable[..., Answer]]]:
        table = "/api/now/table/([a-z_]+)"
        return [
            (f"GET {table}", self.list),
            (f"POST {table}", self.create),
            (f"GET {table}/([0-9a-f]+)", self.read),
            (f"PATCH {table}/([0-9a-f]+)", self.update),
            (f"DELETE {table}/([0-9a-f]+)", self.delete),
        ]

    def put(self, table: str, **fields: Any) -> str:
        """A record that is there already."""
        rows = self.tables[table]
        sys_id = hashlib.md5(f"{table}{len(rows)}".encode()).hexdigest()
        number = f"{'INC' if table == 'incident' else 'CHG'}{len(rows) + 10_001:07d}"
        rows[sys_id] = {"sys_id": sys_id, "number": number, "state": "1", **fields}
        return sys_id

    def list(self, asked: Asked, table: str) -> Answer:
        rows = self.journal if table == "sys_journal_field" else [*self.tables[table].values()]
        found = [
            r for r in rows if all(_fits(r, term) for term in asked.query["sysparm_query"].split("^") if term)
        ]
        start, size = int(asked.query.get("sysparm_offset", 0)), int(asked.query["sysparm_limit"])
        return 200, {"result": found[start : start + size]}, {"X-Total-Count": str(len(found))}

    def create(self, asked: Asked, table: str) -> Answer:
        return 201, {"result": self.tables[table][self.put(table, **asked.json)]}

    def read(self, asked: Asked, table: str, sys_id: str) -> Answer:
        row = self.tables[table].get(sys_id)
        return (200, {"result": row}) if row else self._none()

    def update(self, asked: Asked, table: str, sys_id: str) -> Answer:
        row = self.tables[table].get(sys_id)
        if row is None:
            return self._none()
        given = asked.json
        note = given.pop("work_notes", "")
        if note:
            self.journal.append({"element_id": sys_id, "element": "work_notes", "value": note})
        row.update(given)
        return 200, {"result": row}

    def delete(self, asked: Asked, table: str, sys_id: str) -> Answer:
        return (204, None) if self.tables[table].pop(sys_id, None) else self._none()

    def _none(self) -> Answer:
        return 404, {
            "error": {"message": "No Record found", "detail": "Record doesn't exist or ACL restricts"},
            "status": "failure",
        }


def _fits(row: dict[str, Any], term: str) -> bool:
    if "LIKE" in term:
        name, _, part = term.partition("LIKE")
        return part in str(row.get(name, ""))
    name, _, value = term.partition("=")
    return str(row.get(name, "")) == value
