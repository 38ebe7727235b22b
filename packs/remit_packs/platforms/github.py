"""GitHub by its REST API (version 2022-11-28): issues, files, pull requests.

What a tool makes carries a mark that readers do not see (an HTML comment with the key of the call), by which it is found again after a
crash. A pull request is a branch, a commit and the request itself: a branch that a crash left behind is gone on with.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

from remit.sdk import Found, PlatformReply, ToolContext, ToolError
from remit_packs.platforms.envelope import (
    EARLIER_S,
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
    part,
    picked,
    privileged,
    reading,
    refusal,
    writing,
)

PLATFORM = "github"
MOST_CHARS = 60_000
"""Of a text; GitHub takes 65,536."""

_NAME = r"[A-Za-z0-9_.-]+"
Repo = Annotated[
    str,
    Meta(
        pattern=f"^{_NAME}/{_NAME}$",
        max_length=140,
        description="`owner/name`.",
        extra_json_schema=RECIPIENT,
    ),
]
Number = Annotated[int, Meta(ge=1, description="Of the issue or pull request.")]
Title = Annotated[str, Meta(min_length=1, max_length=256)]
Body = Annotated[str, Meta(max_length=MOST_CHARS, description="Markdown.")]
Branch = Annotated[
    str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._/-]*$", max_length=200, extra_json_schema=NO_ROLE)
]
PathInRepo = Annotated[str, Meta(pattern=r"^[^/\x00-\x1f].*$", max_length=500, extra_json_schema=NO_ROLE)]
"""A file is part of what is proposed to a repository, not where something goes: the repository is."""

_READ_ISSUES, _WRITE_ISSUES = ("issues:read",), ("issues:write",)
_READ_CODE = ("contents:read",)
_READ_PULLS = ("pull_requests:read",)
_PROPOSE = ("contents:write", "pull_requests:write")


class FileChange(Struct, frozen=True, forbid_unknown_fields=True):
    """A file as it should be, whole; without `content` it is deleted."""

    path: PathInRepo
    content: Annotated[str, Meta(max_length=200_000)] | None = None


@reading(PLATFORM, outward=True)
async def github_search(
    context: ToolContext,
    repo: Repo,
    query: Annotated[str, Meta(min_length=1, max_length=200)],
    kind: Literal["issues", "pull_requests", "code"] = "issues",
    limit: Limit = 20,
    page: Annotated[int, Meta(ge=1, le=50)] = 1,
) -> PlatformAnswer:
    """Search the issues, pull requests or code of a repository."""
    asked = f"{_words(query)} repo:{repo}"
    if kind != "code":
        asked += " is:issue" if kind == "issues" else " is:pr"
    path = "/search/code" if kind == "code" else "/search/issues"
    scopes = {"issues": _READ_ISSUES, "pull_requests": _READ_PULLS, "code": _READ_CODE}[kind]
    with connected(context, PLATFORM) as api:
        reply = await api.get(
            path, {"q": asked, "per_page": limit, "page": page}, scopes=scopes, repository=repo
        )
        items = listed(reply.data, "items")
        names = ("path", "html_url", "sha") if kind == "code" else _ISSUE
        more = page * limit < min(int(field(reply.data, "total_count") or 0), 1000)
        found = [picked(item, *names) for item in items]
        return api.answer("search", reply, found, next=str(page + 1) if more and items else "")


@reading(PLATFORM)
async def github_read_file(
    context: ToolContext,
    repo: Repo,
    path: Annotated[
        str, Meta(max_length=500, description="A file, or a folder to list; empty: the root.")
    ] = "",
    ref: Annotated[str, Meta(max_length=200, description="A branch, tag or commit.")] = "",
) -> PlatformAnswer:
    """Read a text file of a repository, or list a folder."""
    parts = [part(p) for p in path.strip("/").split("/") if p]
    where = "/".join([f"/repos/{repo}/contents", *parts])
    with connected(context, PLATFORM) as api:
        query: dict[str, str | int] = {"ref": ref} if ref else {}
        reply = await api.get(where, query, scopes=_READ_CODE, repository=repo)
        if isinstance(reply.data, list):
            return api.answer("list_folder", reply, [picked(i, "path", "type", "size") for i in reply.data])
        data = {**picked(reply.data, "path", "size", "sha"), "content": _content(reply.data)}
        return api.answer(
            "read_file", reply, data, id=field(reply.data, "sha"), url=field(reply.data, "html_url")
        )


@reading(PLATFORM)
async def github_read_issue(
    context: ToolContext, repo: Repo, number: Number, page: Annotated[int, Meta(ge=1, le=100)] = 1
) -> PlatformAnswer:
    """Read an issue with its comments, fifty a page."""
    with connected(context, PLATFORM) as api:
        reply = await api.get(f"/repos/{repo}/issues/{number}", scopes=_READ_ISSUES, repository=repo)
        return await _with_comments(
            api, "read_issue", repo, number, page, picked(reply.data, *_ISSUE, "body")
        )


@reading(PLATFORM)
async def github_read_pull_request(
    context: ToolContext, repo: Repo, number: Number, page: Annotated[int, Meta(ge=1, le=100)] = 1
) -> PlatformAnswer:
    """Read a pull request with the files that it changes, fifty a page. `head` is the commit that a merge must name."""
    with connected(context, PLATFORM) as api:
        reply = await api.get(f"/repos/{repo}/pulls/{number}", scopes=_READ_PULLS, repository=repo)
        files = await api.get(
            f"/repos/{repo}/pulls/{number}/files",
            {"per_page": 50, "page": page},
            scopes=_READ_PULLS,
            repository=repo,
        )
        changed = [
            picked(f, "filename", "status", "additions", "deletions", "patch") for f in listed(files.data)
        ]
        data = {**picked(reply.data, *_ISSUE, "body", "draft", "merged", "mergeable"), "files": changed}
        data |= {
            "head": field(reply.data, "head", "sha"),
            "branch": field(reply.data, "head", "ref"),
            "base": field(reply.data, "base", "ref"),
        }
        more = str(page + 1) if len(changed) == 50 else ""
        return api.answer(
            "read_pull_request", files, data, id=number, url=field(reply.data, "html_url"), next=more
        )


@writing(PLATFORM, risk="L2")
async def github_create_issue(
    context: ToolContext,
    repo: Repo,
    title: Title,
    body: Body = "",
    labels: Annotated[list[str], Meta(max_length=20)] = [],  # noqa: B006  (never changed)
    dry_run: DryRun = False,
) -> PlatformAnswer:
    """Open an issue. Whoever sees the repository can read it."""
    given = {"title": title, "body": _marked(body, context.idempotency_key), "labels": labels}
    change = Change(
        method="POST", path=f"/repos/{repo}/issues", json=given, scopes=_WRITE_ISSUES, repository=repo
    )
    with connected(context, PLATFORM) as api:
        if api.is_dry(dry_run):
            return api.would_send("create_issue", change)
        reply = await api.send(change)
        return _made(api, "create_issue", reply)


@github_create_issue.reconciler
async def _issue_created(key: str, context: ToolContext, arguments: dict[str, Any]) -> Found:
    with connected(context, PLATFORM) as api:
        path = f"/repos/{arguments['repo']}/issues"
        query: dict[str, str | int] = {
            "state": "all",
            "sort": "created",
            "direction": "desc",
            "since": _since(context),
        }
        return await _found(api, "create_issue", path, query, key, _READ_ISSUES, arguments["repo"])


@writing(PLATFORM, risk="L2")
async def github_comment(
    context: ToolContext,
    repo: Repo,
    number: Number,
    body: Annotated[str, Meta(min_length=1, max_length=MOST_CHARS, description="Markdown.")],
    dry_run: DryRun = False,
) -> PlatformAnswer:
    """Comment on an issue or a pull request. Whoever sees the repository can read it."""
    change = Change(
        method="POST",
        path=f"/repos/{repo}/issues/{number}/comments",
        json={"body": _marked(body, context.idempotency_key)},
        scopes=_WRITE_ISSUES,
        repository=repo,
    )
    with connected(context, PLATFORM) as api:
        if api.is_dry(dry_run):
            return api.would_send("comment", change)
        return _made(api, "comment", await api.send(change))


@github_comment.reconciler
async def _commented(key: str, context: ToolContext, arguments: dict[str, Any]) -> Found:
    with connected(context, PLATFORM) as api:
        path = f"/repos/{arguments['repo']}/issues/{arguments['number']}/comments"
        return await _found(
            api, "comment", path, {"since": _since(context)}, key, _READ_ISSUES, arguments["repo"]
        )


@writing(PLATFORM, risk="L2")
async def github_open_pull_request(
    context: ToolContext,
    repo: Repo,
    title: Title,
    branch: Annotated[Branch, Meta(description="A new branch.")],
    files: Annotated[list[FileChange], Meta(min_length=1, max_length=50)],
    body: Body = "",
    base: Annotated[Branch, Meta(description="The branch to change.")] = "main",
    dry_run: DryRun = False,
) -> PlatformAnswer:
    """Propose a change: a new branch with one commit, and a pull request for people to review. Nothing is merged."""
    key = context.idempotency_key
    proposal = _Proposal(
        repo, branch, base, title, _marked(body, key), tuple(files), f"{title}\n\n{_trailer(key)}"
    )
    with connected(context, PLATFORM) as api:
        if api.is_dry(dry_run):
            return api.would_send(
                "open_pull_request", proposal.tree("TREE_OF_BASE"), proposal.commit("TREE", "BASE"), proposal.ref("COMMIT"),
                proposal.pull(),
            )  # fmt: skip
        await _committed(api, proposal)
        try:
            return _made(api, "open_pull_request", await api.send(proposal.pull()))
        except ToolError:
            await _withdrawn(api, proposal)
            raise


@github_open_pull_request.reconciler
async def _pull_request_opened(key: str, context: ToolContext, arguments: dict[str, Any]) -> Found:
    repo = arguments["repo"]
    with connected(context, PLATFORM) as api:
        query: dict[str, str | int] = {
            "state": "all",
            "head": f"{repo.partition('/')[0]}:{arguments['branch']}",
        }
        return await _found(api, "open_pull_request", f"/repos/{repo}/pulls", query, key, _READ_PULLS, repo)


@privileged(PLATFORM)
async def github_merge_pull_request(
    context: ToolContext,
    repo: Repo,
    number: Number,
    head: Annotated[str, Meta(pattern="^[0-9a-f]{40}$", description="The commit that was reviewed.")],
    method: Literal["merge", "squash", "rebase"] = "squash",
    dry_run: DryRun = False,
) -> PlatformAnswer:
    """Merge a pull request, at the commit that was reviewed and no other."""
    change = Change(
        method="PUT",
        path=f"/repos/{repo}/pulls/{number}/merge",
        json={"sha": head, "merge_method": method},
        scopes=_PROPOSE,
        repository=repo,
    )
    with connected(context, PLATFORM) as api:
        if api.is_dry(dry_run):
            return api.would_send("merge_pull_request", change)
        reply = await api.send(change)
        return api.answer("merge_pull_request", reply, picked(reply.data, "merged", "sha"), id=number)


@github_merge_pull_request.reconciler
async def _merged(key: str, context: ToolContext, arguments: dict[str, Any]) -> Found:
    with connected(context, PLATFORM) as api:
        path = f"/repos/{arguments['repo']}/pulls/{arguments['number']}"
        reply = await api.get(path, scopes=_READ_PULLS, repository=arguments["repo"])
        if not field(reply.data, "merged") or field(reply.data, "head", "sha") != arguments["head"]:
            return Found(False)
        data = {"merged": True, "sha": field(reply.data, "merge_commit_sha")}
        return Found(True, api.answer("merge_pull_request", reply, data, id=arguments["number"]))


GITHUB = (
    github_search,
    github_read_file,
    github_read_issue,
    github_read_pull_request,
    github_create_issue,
    github_comment,
    github_open_pull_request,
    github_merge_pull_request,
)

_ISSUE = ("number", "title", "state", "html_url", "created_at", "updated_at", "comments")


class _Proposal(Struct, frozen=True):
    """The requests of which a pull request is made."""

    repo: str
    branch: str
    base: str
    title: str
    body: str
    files: tuple[FileChange, ...]
    message: str

    def tree(self, base_tree: str) -> Change:
        """The files."""
        entries: list[dict[str, Any]] = []
        for f in self.files:
            entry: dict[str, Any] = {"path": f.path, "mode": "100644", "type": "blob"}
            entries.append(entry | ({"sha": None} if f.content is None else {"content": f.content}))
        return self._post("git/trees", {"base_tree": base_tree, "tree": entries})

    def commit(self, tree: str, parent: str) -> Change:
        """The commit, which nothing leads to yet."""
        return self._post("git/commits", {"message": self.message, "tree": tree, "parents": [parent]})

    def ref(self, commit: str) -> Change:
        """The branch."""
        return self._post("git/refs", {"ref": f"refs/heads/{self.branch}", "sha": commit})

    def pull(self) -> Change:
        """The request itself."""
        given = {"title": self.title, "body": self.body, "head": self.branch, "base": self.base}
        return self._post("pulls", given)

    def no_ref(self) -> Change:
        """The branch taken back."""
        path = f"/repos/{self.repo}/git/refs/heads/{self.branch}"
        return Change(method="DELETE", path=path, scopes=_PROPOSE, repository=self.repo)

    def _post(self, what: str, given: dict[str, Any]) -> Change:
        path = f"/repos/{self.repo}/{what}"
        return Change(method="POST", path=path, json=given, scopes=_PROPOSE, repository=self.repo)


async def _committed(api: Api, proposal: _Proposal) -> None:
    """The branch with its commit; one that an earlier attempt of this call left is taken as it is."""
    git = f"/repos/{proposal.repo}/git"
    there = await api.find(f"{git}/ref/heads/{proposal.branch}", scopes=_PROPOSE, repository=proposal.repo)
    if there.ok:
        sha = field(there.data, "object", "sha")
        commit = await api.get(f"{git}/commits/{sha}", scopes=_PROPOSE, repository=proposal.repo)
        if field(commit.data, "message") != proposal.message:
            raise refusal(f"the branch `{proposal.branch}` is there already", "choose another name")
        return
    base = await api.get(f"{git}/ref/heads/{proposal.base}", scopes=_PROPOSE, repository=proposal.repo)
    parent = field(base.data, "object", "sha")
    root = await api.get(f"{git}/commits/{parent}", scopes=_PROPOSE, repository=proposal.repo)
    tree = await api.send(proposal.tree(field(root.data, "tree", "sha")))
    commit = await api.send(proposal.commit(field(tree.data, "sha"), parent))
    await api.send(proposal.ref(field(commit.data, "sha")))


async def _withdrawn(api: Api, proposal: _Proposal) -> None:
    """Take the branch back when nothing came of it. Whatever goes wrong here, then the outcome is not known."""
    try:
        await api.send(proposal.no_ref())
    except ToolError as error:
        raise RuntimeError(f"the branch `{proposal.branch}` was left behind: {error.message}") from error


async def _with_comments(
    api: Api, operation: str, repo: str, number: int, page: int, data: dict[str, Any]
) -> PlatformAnswer:
    path = f"/repos/{repo}/issues/{number}/comments"
    reply = await api.get(path, {"per_page": 50, "page": page}, scopes=_READ_ISSUES, repository=repo)
    said = [
        {"author": field(c, "user", "login"), **picked(c, "created_at", "body", "html_url")}
        for c in listed(reply.data)
    ]
    more = str(page + 1) if len(said) == 50 else ""
    return api.answer(
        operation, reply, {**data, "said": said}, id=number, url=data.get("html_url", ""), next=more
    )


async def _found(
    api: Api,
    operation: str,
    path: str,
    query: dict[str, str | int],
    key: str,
    scopes: tuple[str, ...],
    repo: str,
) -> Found:
    """Whether something with the mark of a call is in a list."""
    async for reply, item in _each(api, path, query, scopes, repo):
        if mark(key) in str(field(item, "body")):
            return Found(True, _made(api, operation, reply, item))
    return Found(False)


async def _each(
    api: Api, path: str, query: dict[str, str | int], scopes: tuple[str, ...], repo: str
) -> AsyncIterator[tuple[PlatformReply, Any]]:
    for page in range(1, MOST_PAGES + 1):
        reply = await api.get(path, {**query, "per_page": 100, "page": page}, scopes=scopes, repository=repo)
        items = listed(reply.data)
        for item in items:
            yield reply, item
        if len(items) < 100:
            return
    raise LookupError(
        f"`{path}` has more than {MOST_PAGES * 100} new entries; look for the mark of the call there"
    )


def _made(api: Api, operation: str, reply: PlatformReply, item: Any = None) -> PlatformAnswer:
    """The envelope of something that was made just now, or that was found to have been."""
    item = reply.data if item is None else item
    id = field(item, "number") or field(item, "id")
    return api.answer(
        operation, reply, picked(item, "number", "title", "state"), id=id, url=field(item, "html_url")
    )


def mark(key: str) -> str:
    """The mark of a call: nobody sees it in the rendered text."""
    return f"<!-- remit:{key} -->"


def _marked(body: str, key: str) -> str:
    return f"{body}\n\n{mark(key)}"


def _trailer(key: str) -> str:
    return f"Remit-Call: {key}"


def _since(context: ToolContext) -> str:
    moment = datetime.fromtimestamp(context.started_ts / 1000 - EARLIER_S, UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def _words(query: str) -> str:
    """A query of words: a qualifier or an operator in it could lead to another repository."""
    return " ".join(w for w in re.sub(r"[():]", " ", query).split() if w not in ("AND", "OR", "NOT"))


def _content(data: Any) -> str:
    if field(data, "type") != "file" or field(data, "encoding") != "base64":
        raise refusal("that is no file, or one that is too large", "read one of up to 1 MB")
    try:
        return base64.b64decode(field(data, "content")).decode()
    except (binascii.Error, UnicodeDecodeError):
        raise refusal("that is no text file", "read another one") from None
