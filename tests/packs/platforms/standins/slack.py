"""Slack's Web API as its reference describes it: errors with status 200, cursors, metadata, rotating tokens."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Any

from tests.packs.platforms.standins.base import Answer, Asked, Standin

CHANNEL, OTHER = "C0123ABCD", "C0456EFGH"


class Slack(Standin):
    """Two channels; the app is a member of the first one. With `once` a refresh token is good for one use, as at Slack itself."""

    platform = "slack"
    token_paths = ("/oauth.v2.access",)

    def __init__(self) -> None:
        super().__init__()
        self.messages: list[dict[str, Any]] = []
        self.members = {CHANNEL: ["U0BOT", "U0ANN"], OTHER: ["U0ANN"]}
        self.archived: set[str] = set()
        self.refresh_tokens = {"xoxe-1-first"}
        self.client_secret = "slack-client-secret-1234"
        self.lasts_s = 43_200
        self.once = False

    def make_token(self, asked: Asked) -> Answer:
        form = asked.form
        known = form["client_secret"] == self.client_secret and form["grant_type"] == "refresh_token"
        if not known or form["refresh_token"] not in self.refresh_tokens:
            return 200, {"ok": False, "error": "invalid_refresh_token"}
        if self.once:
            self.refresh_tokens.clear()
        following = f"xoxe-1-{secrets.token_hex(12)}"
        self.refresh_tokens.add(following)
        return 200, {
            "ok": True, "access_token": self.token("xoxe.xoxb-1-"), "expires_in": self.lasts_s,
            "refresh_token": following, "token_type": "bot",
        }  # fmt: skip

    def unauthorized(self) -> Answer:
        return 200, {"ok": False, "error": "token_expired"}

    def routes(self) -> list[tuple[str, Callable[..., Answer]]]:
        return [
            ("GET /auth.test", lambda asked: (200, {"ok": True, "team": "Acme"})),
            ("GET /conversations.list", self.list),
            ("GET /conversations.history", self.history),
            ("GET /conversations.replies", self.history),
            ("GET /conversations.members", self.list_members),
            ("GET /conversations.info", self.info),
            ("GET /search.messages", self.search),
            ("POST /chat.postMessage", self.post),
            ("POST /conversations.invite", self.invite),
            ("POST /conversations.archive", self.archive),
        ]

    def list(self, asked: Asked) -> Answer:
        found = [
            {"id": c, "name": c.lower(), "is_private": False, "num_members": 2, "topic": {"value": "x"}}
            for c in self.members
        ]
        start, size = int(asked.query.get("cursor", 0)), int(asked.query["limit"])
        after = str(start + size) if start + size < len(found) else ""
        return 200, {
            "ok": True,
            "channels": found[start : start + size],
            "response_metadata": {"next_cursor": after},
        }

    def history(self, asked: Asked) -> Answer:
        channel = asked.query["channel"]
        if channel not in self.members:
            return 200, {"ok": False, "error": "channel_not_found"}
        thread = asked.query.get("ts", "")
        found = [
            m if "include_all_metadata" in asked.query else {k: v for k, v in m.items() if k != "metadata"}
            for m in self.messages
            if m["channel"] == channel
            and float(m["ts"]) > float(asked.query.get("oldest", 0))
            and (thread in (m["ts"], m.get("thread_ts")) if thread else "thread_ts" not in m)
        ]
        return 200, {
            "ok": True,
            "messages": found[: int(asked.query["limit"])],
            "response_metadata": {"next_cursor": ""},
        }

    def list_members(self, asked: Asked) -> Answer:
        return 200, {"ok": True, "members": self.members[asked.query["channel"]]}

    def info(self, asked: Asked) -> Answer:
        return 200, {"ok": True, "channel": {"is_archived": asked.query["channel"] in self.archived}}

    def search(self, asked: Asked) -> Answer:
        found = [m for m in self.messages if asked.query["query"] in m["text"]]
        matches = [
            {"channel": {"id": m["channel"]}, "ts": m["ts"], "text": m["text"], "permalink": "https://x"}
            for m in found
        ]
        return 200, {"ok": True, "messages": {"matches": matches, "paging": {"page": 1, "pages": 1}}}

    def post(self, asked: Asked) -> Answer:
        given = asked.json
        if given["channel"] == OTHER:
            return 200, {"ok": False, "error": "not_in_channel"}
        ts = f"{self.now_s():.0f}.{len(self.messages):06d}"
        self.messages.append({**given, "ts": ts, "user": "U0BOT"})
        return 200, {"ok": True, "channel": given["channel"], "ts": ts, "message": {"text": given["text"]}}

    def invite(self, asked: Asked) -> Answer:
        there, new = self.members[asked.json["channel"]], asked.json["users"].split(",")
        if set(new) <= set(there):
            return 200, {"ok": False, "error": "already_in_channel"}
        there += new
        return 200, {"ok": True, "channel": {"id": asked.json["channel"]}}

    def archive(self, asked: Asked) -> Answer:
        if asked.json["channel"] in self.archived:
            return 200, {"ok": False, "error": "already_archived"}
        self.archived.add(asked.json["channel"])
        return 200, {"ok": True}
