"""Jira Cloud's REST API, version 3, as its reference describes it, with a service account's OAuth 2.0 credential."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from tests.packs.platforms.standins.base import Answer, Asked, Standin

WAYS = {"11": "To Do", "21": "In Progress", "31": "Done"}


class Jira(Standin):
    """One project, SHOP. `lag` hides what was made from the search."""

    platform = "jira"
    token_paths = ("/oauth/token",)

    def __init__(self) -> None:
        super().__init__()
        self.issues: dict[str, dict[str, Any]] = {}
        self.comments: list[dict[str, Any]] = []
        self.client_secret = "jira-client-secret-1234"
        self.lag = False

    def make_token(self, asked: Asked) -> Answer:
        form = asked.form
        if form["client_secret"] != self.client_secret or form["grant_type"] != "client_credentials":
            return 401, {
                "error": "access_denied",
                "error_description": f"Unauthorized {form['client_secret']}",
            }
        return 200, {
            "access_token": self.token("eyJ"),
            "expires_in": 3600,
            "token_type": "Bearer",
            "scope": form.get("scope", ""),
        }

    def routes(self) -> list[tuple[str, Callable[..., Answer]]]:
        issue = "/rest/api/3/issue"
        return [
            ("GET /rest/api/3/myself", lambda asked: (200, {"accountType": "app"})),
            ("GET /rest/api/3/search/jql", self.search),
            (f"POST {issue}", self.create),
            (f"GET {issue}/([^/]+)", self.issue),
            (f"DELETE {issue}/([^/]+)", self.delete),
            (f"GET {issue}/([^/]+)/comment", self.list_comments),
            (f"POST {issue}/([^/]+)/comment", self.comment),
            (f"GET {issue}/([^/]+)/transitions", self.ways),
            (f"POST {issue}/([^/]+)/transitions", self.move),
        ]

    def search(self, asked: Asked) -> Answer:
        label = re.fullmatch(r'labels = "(.+)"', asked.query["jql"])
        found = [i for i in self.issues.values() if not label or label[1] in i["fields"]["labels"]]
        start, size = int(asked.query.get("nextPageToken", 0)), int(asked.query["maxResults"])
        page = [] if self.lag else found[start : start + size]
        more = {"nextPageToken": str(start + size)} if start + size < len(found) else {"isLast": True}
        return 200, {"issues": page, **more}

    def create(self, asked: Asked) -> Answer:
        fields = asked.json["fields"]
        if fields["project"]["key"] != "SHOP":
            return 400, {"errorMessages": [], "errors": {"project": "valid project is required"}}
        key = f"SHOP-{len(self.issues) + 1}"
        own = {
            "id": str(10_000 + len(self.issues)),
            "key": key,
            "self": f"{self.base}/rest/api/3/issue/{key}",
        }
        self.issues[key] = {**own, "fields": {**fields, "status": {"name": "To Do"}, "assignee": None}}
        return 201, own

    def issue(self, asked: Asked, key: str) -> Answer:
        found = self.issues.get(key)
        return (200, found) if found else self._gone()

    def delete(self, asked: Asked, key: str) -> Answer:
        return (204, None) if self.issues.pop(key, None) else self._gone()

    def list_comments(self, asked: Asked, key: str) -> Answer:
        if key not in self.issues:
            return self._gone()
        found = [c for c in self.comments if c["issue"] == key]
        found = found[::-1] if asked.query.get("orderBy") == "-created" else found
        if asked.query.get("expand") != "properties":
            found = [{k: v for k, v in c.items() if k != "properties"} for c in found]
        start = int(asked.query["startAt"])
        return 200, {"comments": found[start : start + int(asked.query["maxResults"])], "total": len(found)}

    def comment(self, asked: Asked, key: str) -> Answer:
        if key not in self.issues:
            return self._gone()
        if asked.json["body"]["type"] != "doc":
            return 400, {"errorMessages": ["Comment body is not valid!"]}
        made = {"id": str(len(self.comments)), "issue": key, "author": {"displayName": "Bot"}, **asked.json}
        self.comments.append({**made, "created": "2027-01-15T08:00:00.000+0000"})
        return 201, self.comments[-1]

    def ways(self, asked: Asked, key: str) -> Answer:
        now = self.issues[key]["fields"]["status"]["name"]
        return 200, {
            "transitions": [{"id": i, "name": n, "to": {"name": n}} for i, n in WAYS.items() if n != now]
        }

    def move(self, asked: Asked, key: str) -> Answer:
        self.issues[key]["fields"]["status"] = {"name": WAYS[asked.json["transition"]["id"]]}
        return 204, None

    def _gone(self) -> Answer:
        return 404, {
            "errorMessages": ["Issue does not exist or you do not have permission to see it."],
            "errors": {},
        }
