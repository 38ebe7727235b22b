"""Jira Cloud by its REST API, version 3: search, issues, comments, transitions.

An issue is found again after a crash by a label with the key of the call, a comment by a property, which people do not see. Jira's search
lags behind: that no issue is found counts only five minutes after the call; before that a person is asked.
"""

from __future__ import annotations

from typing import Annotated, Any
from urllib.parse import urlsplit

from msgspec import Meta

from remit.sdk import Found, PlatformReply, ToolContext
from remit_packs.platforms.envelope import (
    MOST_PAGES,
    NO_ROLE,
    RECIPIENT,
    Api,
    Change,
    DryRun,
    Limit,
    PlatformAnswer,
    connected,
    field,
    listed,
    picked,
    privileged,
    reading,
    refusal,
    writing,
)

PLATFORM = "jira"
INDEX_MS = 300_000
"""An issue is in the search by then: Atlassian says seconds, at times minutes."""

PROPERTY = "remit.call"

Project = Annotated[
    str, Meta(pattern="^[A-Z][A-Z0-9_]{1,50}$", description="A project's key.", extra_json_schema=RECIPIENT)
]
Issue = Annotated[str, Meta(pattern="^[A-Z][A-Z0-9_]{1,50}-[0-9]{1,9}$", description="E.g. SHOP-17.")]
Text = Annotated[str, Meta(max_length=30_000, description="Plain text; blank lines part paragraphs.")]

_READ, _WRITE = ("read:jira-work",), ("write:jira-work",)
_FIELDS = "summary,status,issuetype,assignee,priority,labels,created,updated"


@reading(PLATFORM, outward=True)
async def jira_search(
    context: ToolContext,
    jql: Annotated[
        str, Meta(min_length=1, max_length=500, description="E.g. project = SHOP AND status != Done.")
    ],
    limit: Limit = 20,
    cursor: Annotated[str, Meta(max_length=1000, description="`next` of the page before.")] = "",
) -> PlatformAnswer:
    """Search issues by JQL. What was changed a moment ago may be missing."""
    query: dict[str, str | int] = {"jql": jql, "maxResults": limit, "fields": _FIELDS}
    if cursor:
        query["nextPageToken"] = cursor
    with connected(context, PLATFORM) as api:
        reply = await api.get("/rest/api/3/search/jql", query, scopes=_READ)
        found = [_summary(issue) for issue in listed(reply.data, "issues")]
        return api.answer("search", reply, found, next=str(field(reply.data, "nextPageToken")))


@reading(PLATFORM)
async def jira_issue(
    context: ToolContext,
    issue: Issue,
    start: Annotated[int, Meta(ge=0, description="The first comment.")] = 0,
) -> PlatformAnswer:
    """Read an issue with its comments, fifty at a time."""
    path = f"/rest/api/3/issue/{issue}"
    with connected(context, PLATFORM) as api:
        reply = await api.get(path, {"fields": f"{_FIELDS},description"}, scopes=_READ)
        comments = await api.get(f"{path}/comment", {"startAt": start, "maxResults": 50}, scopes=_READ)
        said = [
            {
                "author": field(c, "author", "displayName"),
                "created": field(c, "created"),
                "text": plain(field(c, "body")),
            }
            for c in listed(comments.data, "comments")
        ]
        data = {
            **_summary(reply.data),
            "description": plain(field(reply.data, "fields", "description")),
            "comments": said,
        }
        after = start + len(said)
        more = str(after) if said and after < int(field(comments.data, "total") or 0) else ""
        return api.answer("issue", comments, data, id=issue, url=_url(reply.data), next=more)


@writing(PLATFORM)
async def jira_create_issue(
    context: ToolContext,
    project: Project,
    summary: Annotated[str, Meta(min_length=1, max_length=255)],
    description: Text = "",
    type: Annotated[str, Meta(max_length=60, description="The name of an issue type.")] = "Task",
    dry_run: DryRun = False,
) -> PlatformAnswer:
    """Create an issue. It has a label `remit-…` with the key of the call."""
    fields: dict[str, Any] = {
        "project": {"key": project},
        "summary": " ".join(summary.split()),
        "issuetype": {"name": type},
        "labels": [label(context.idempotency_key)],
    }
    if description:
        fields["description"] = document(description)
    change = Change(method="POST", path="/rest/api/3/issue", json={"fields": fields}, scopes=_WRITE)
    with connected(context, PLATFORM) as api:
        if api.is_dry(dry_run):
            return api.would_send("create_issue", change)
        reply = await api.send(change)
        return _made(api, reply, reply.data)


@jira_create_issue.reconciler
async def _created(key: str, context: ToolContext) -> Found:
    with connected(context, PLATFORM) as api:
        query: dict[str, str | int] = {
            "jql": f'labels = "{label(key)}"',
            "maxResults": 1,
            "fields": "summary",
        }
        reply = await api.get("/rest/api/3/search/jql", query, scopes=_READ)
        found = listed(reply.data, "issues")
        if found:
            return Found(True, _made(api, reply, found[0]))
        if context.clock.now() - context.started_ts < INDEX_MS:
            raise LookupError(f"no issue has the label `{label(key)}` yet, and Jira's search lags behind")
        return Found(False)


@writing(PLATFORM)
async def jira_comment(
    context: ToolContext,
    issue: Issue,
    text: Annotated[str, Meta(min_length=1, max_length=30_000, description="Plain text.")],
    dry_run: DryRun = False,
) -> PlatformAnswer:
    """Comment on an issue."""
    given = {
        "body": document(text),
        "properties": [{"key": PROPERTY, "value": {"call": context.idempotency_key}}],
    }
    change = Change(method="POST", path=f"/rest/api/3/issue/{issue}/comment", json=given, scopes=_WRITE)
    with connected(context, PLATFORM) as api:
        if api.is_dry(dry_run):
            return api.would_send("comment", change)
        reply = await api.send(change)
        return api.answer("comment", reply, picked(reply.data, "id", "created"), id=field(reply.data, "id"))


@jira_comment.reconciler
async def _commented(key: str, context: ToolContext, arguments: dict[str, Any]) -> Found:
    """Newest first, until one is older than the call."""
    path = f"/rest/api/3/issue/{arguments['issue']}/comment"
    with connected(context, PLATFORM) as api:
        for page in range(MOST_PAGES):
            query: dict[str, str | int] = {
                "orderBy": "-created", "expand": "properties", "startAt": page * 100, "maxResults": 100,
            }  # fmt: skip
            reply = await api.get(path, query, scopes=_READ)
            comments = listed(reply.data, "comments")
            for comment in comments:
                if any(field(p, "value", "call") == key for p in listed(comment, "properties")):
                    id = field(comment, "id")
                    return Found(True, api.answer("comment", reply, picked(comment, "id", "created"), id=id))
            if len(comments) < 100:
                return Found(False)
    raise LookupError(f"issue `{arguments['issue']}` has too many comments to look through")


@writing(PLATFORM)
async def jira_transition(
    context: ToolContext,
    issue: Issue,
    status: Annotated[
        str,
        Meta(min_length=1, max_length=60, description="The status to move it to.", extra_json_schema=NO_ROLE),
    ],
    dry_run: DryRun = False,
) -> PlatformAnswer:
    """Move an issue to another status, if its workflow has a way there."""
    path = f"/rest/api/3/issue/{issue}/transitions"
    with connected(context, PLATFORM) as api:
        ways = listed((await api.get(path, scopes=_READ)).data, "transitions")
        there = [w for w in ways if str(field(w, "to", "name")).casefold() == status.casefold()]
        if not there:
            known = ", ".join(f"`{field(w, 'to', 'name')}`"[:60] for w in ways[:20]) or "nowhere"
            raise refusal(f"`{issue}` cannot go to `{status}` from where it is", f"it can go to: {known}")
        given = {"transition": {"id": field(there[0], "id")}}
        change = Change(method="POST", path=path, json=given, scopes=_WRITE)
        if api.is_dry(dry_run):
            return api.would_send("transition", change)
        return api.answer(
            "transition", await api.send(change), {"status": field(there[0], "to", "name")}, id=issue
        )


@jira_transition.reconciler
async def _moved(key: str, context: ToolContext, arguments: dict[str, Any]) -> Found:
    issue = arguments["issue"]
    with connected(context, PLATFORM) as api:
        reply = await api.get(f"/rest/api/3/issue/{issue}", {"fields": "status"}, scopes=_READ)
        status = str(field(reply.data, "fields", "status", "name"))
        answer = api.answer("transition", reply, {"status": status}, id=issue)
        return Found(status.casefold() == arguments["status"].casefold(), answer)


@privileged(PLATFORM)
async def jira_delete_issue(context: ToolContext, issue: Issue, dry_run: DryRun = False) -> PlatformAnswer:
    """Delete an issue for good. One that has subtasks is refused."""
    change = Change(method="DELETE", path=f"/rest/api/3/issue/{issue}", scopes=("delete:issue:jira", *_WRITE))
    with connected(context, PLATFORM) as api:
        if api.is_dry(dry_run):
            return api.would_send("delete_issue", change)
        return api.answer("delete_issue", await api.send(change), None, id=issue)


@jira_delete_issue.reconciler
async def _deleted(key: str, context: ToolContext, arguments: dict[str, Any]) -> Found:
    issue = arguments["issue"]
    with connected(context, PLATFORM) as api:
        reply = await api.find(f"/rest/api/3/issue/{issue}", {"fields": "status"}, scopes=_READ)
        return Found(reply.status in (404, 410), api.answer("delete_issue", reply, None, id=issue))


JIRA = (jira_search, jira_issue, jira_create_issue, jira_comment, jira_transition, jira_delete_issue)


def label(key: str) -> str:
    """The label of what a call made."""
    return f"remit-{key}"


def document(text: str) -> dict[str, Any]:
    """Plain text in the Atlassian Document Format."""
    paragraphs = [p.strip() for p in text.split("\n\n") if p.strip()]
    return {"type": "doc", "version": 1, "content": [_paragraph(p) for p in paragraphs]}


def plain(node: Any, depth: int = 50) -> str:
    """A document in the Atlassian Document Format as plain text."""
    if isinstance(node, str) or depth <= 0:
        return node if isinstance(node, str) else ""
    kind = field(node, "type")
    if kind == "hardBreak":
        return "\n"
    own = field(node, "text") or field(node, "attrs", "text") or field(node, "attrs", "url")
    inner = "".join(plain(child, depth - 1) for child in listed(node, "content"))
    return f"{own}{inner}" + ("\n" if kind in _BLOCKS else "")


_BLOCKS = frozenset({"paragraph", "heading", "codeBlock", "tableRow", "rule"})


def _paragraph(text: str) -> dict[str, Any]:
    content: list[dict[str, Any]] = []
    for line in text.splitlines():
        content += [{"type": "hardBreak"}] if content else []
        content += [{"type": "text", "text": line}] if line else []
    return {"type": "paragraph", "content": content}


def _summary(issue: Any) -> dict[str, Any]:
    fields = field(issue, "fields")
    named = {name: field(fields, name, "name") for name in ("status", "issuetype", "priority")}
    return {
        **picked(issue, "key"),
        **picked(fields, "summary", "labels", "created", "updated"),
        **named,
        "assignee": field(fields, "assignee", "displayName"),
        "url": _url(issue),
    }


def _made(api: Api, reply: PlatformReply, issue: Any) -> PlatformAnswer:
    return api.answer(
        "create_issue", reply, picked(issue, "id", "key"), id=field(issue, "key"), url=_url(issue)
    )


def _url(issue: Any) -> str:
    """The address for people, where the platform's own says the site; by OAuth it is one for programs."""
    own = urlsplit(str(field(issue, "self")))
    key = field(issue, "key")
    return (
        f"{own.scheme}://{own.netloc}/browse/{key}" if own.path.startswith("/rest/") and key else own.geturl()
    )
