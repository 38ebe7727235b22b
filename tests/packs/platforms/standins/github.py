"""GitHub as its REST reference describes it: a GitHub App, issues, comments, contents, Git objects, pull requests."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from tests.packs.platforms.standins.base import Answer, Asked, Standin

KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
PEM = KEY.private_bytes(
    serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
).decode()
REPO = "acme/shop"
APP, INSTALLATION = "Iv23liABC", "4711"


class GitHub(Standin):
    """One repository. A token opens what its permissions say, in the repositories that it was narrowed to."""

    platform = "github"

    def __init__(self) -> None:
        super().__init__()
        self.issues: list[dict[str, Any]] = []
        self.comments: list[dict[str, Any]] = []
        self.pulls: list[dict[str, Any]] = []
        self.objects: dict[str, dict[str, Any]] = {}
        root = self._object({"tree": {}})
        self.refs = {"main": self._object({"message": "first", "tree": {"sha": root}, "parents": []})}
        self.grants: dict[str, dict[str, Any]] = {}
        self.lasts_s = 3600

    def is_token_path(self, path: str) -> bool:
        return path == f"/app/installations/{INSTALLATION}/access_tokens"

    def make_token(self, asked: Asked) -> Answer:
        if not self._is_app(asked.headers["authorization"].removeprefix("Bearer ")):
            return 401, {"message": "A JSON web token could not be decoded"}
        wanted = asked.json
        if wanted.get("repositories", ["shop"]) != ["shop"]:
            return 422, {
                "message": "There is at least one repository that does not exist or is not accessible"
            }
        made = self.token("ghs_")
        self.grants[made] = wanted
        ends = datetime.fromtimestamp(self.now_s() + self.lasts_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        return 201, {"token": made, "expires_at": ends, "permissions": wanted.get("permissions", {})}

    def _is_app(self, jwt: str) -> bool:
        head, claims, signature = (_decoded(part) for part in jwt.split("."))
        try:
            KEY.public_key().verify(
                signature, jwt.rpartition(".")[0].encode(), padding.PKCS1v15(), hashes.SHA256()
            )
        except InvalidSignature:
            return False
        given = json.loads(claims)
        fits = given["iat"] <= self.now_s() < given["exp"] <= self.now_s() + 600
        return json.loads(head) == {"alg": "RS256", "typ": "JWT"} and given["iss"] == APP and fits

    def respond(self, asked: Asked) -> Answer:
        grant = self.grants.get(asked.headers["authorization"].partition(" ")[2])
        if grant is not None and not self._may(grant, asked):
            return 403, {"message": "Resource not accessible by integration"}
        return super().respond(asked)

    def _may(self, grant: dict[str, Any], asked: Asked) -> bool:
        """Whether the permissions of a token cover a request."""
        needed = next((name for part, name in _NEEDED if part in asked.path), "")
        level = grant.get("permissions", {}).get(needed, "")
        if asked.path == "/installation/repositories":
            return True
        if grant.get("repositories") != [REPO.partition("/")[2]]:
            return False
        return not needed or level == "write" or (level == "read" and asked.method == "GET")

    def routes(self) -> list[tuple[str, Callable[..., Answer]]]:
        repo = f"/repos/{REPO}"
        return [
            ("GET /installation/repositories", lambda asked: (200, {"total_count": 1})),
            ("GET /search/issues", self.search),
            (
                "GET /search/code",
                lambda asked: (200, {"total_count": 1, "items": [{"path": "a.py", "sha": "1"}]}),
            ),
            (f"GET {repo}/contents/?(.*)", self.contents),
            (f"GET {repo}/issues", self.list_issues),
            (f"POST {repo}/issues", self.create_issue),
            (f"GET {repo}/issues/(\\d+)", self.issue),
            (f"GET {repo}/issues/(\\d+)/comments", self.list_comments),
            (f"POST {repo}/issues/(\\d+)/comments", self.comment),
            (f"GET {repo}/git/ref/heads/(.+)", self.ref),
            (f"GET {repo}/git/commits/(.+)", self.commit),
            (f"POST {repo}/git/(trees|commits)", self.make_object),
            (f"POST {repo}/git/refs", self.make_ref),
            (f"DELETE {repo}/git/refs/heads/(.+)", self.delete_ref),
            (f"GET {repo}/pulls", self.list_pulls),
            (f"POST {repo}/pulls", self.open_pull),
            (f"GET {repo}/pulls/(\\d+)", self.pull),
            (f"GET {repo}/pulls/(\\d+)/files", lambda asked, number: (200, [])),
            (f"PUT {repo}/pulls/(\\d+)/merge", self.merge),
        ]

    def search(self, asked: Asked) -> Answer:
        words = [w for w in asked.query["q"].split() if ":" not in w]
        found = [i for i in self.issues if all(w in i["title"] for w in words)]
        size, page = int(asked.query["per_page"]), int(asked.query["page"])
        headers = {"X-RateLimit-Remaining": "29", "X-RateLimit-Reset": "1800000060"}
        return 200, {"total_count": len(found), "items": found[(page - 1) * size : page * size]}, headers

    def contents(self, asked: Asked, path: str) -> Answer:
        if not path:
            return 200, [{"path": "README.md", "type": "file", "size": 5}]
        if path != "docs/a b.md":
            return 404, {"message": "Not Found"}
        text = base64.b64encode(b"hello\n").decode()
        return 200, {"type": "file", "encoding": "base64", "content": text, "path": path, "sha": "f" * 40, "html_url": "https://github.com/x"}  # fmt: skip

    def list_issues(self, asked: Asked) -> Answer:
        return 200, self._page(
            [i for i in self.issues if i["updated_at"] >= asked.query.get("since", "")], asked
        )

    def create_issue(self, asked: Asked) -> Answer:
        given = asked.json
        if not given.get("title"):
            return 422, {"message": "Validation Failed", "errors": [{"message": "title is missing"}]}
        made = {**given, "number": self._number(), "state": "open", **self._stamps()}
        made["html_url"] = f"https://github.com/{REPO}/issues/{made['number']}"
        self.issues.insert(0, made)
        return 201, made

    def issue(self, asked: Asked, number: str) -> Answer:
        found = [i for i in self.issues if i["number"] == int(number)]
        return (200, found[0]) if found else (404, {"message": "Not Found"})

    def list_comments(self, asked: Asked, number: str) -> Answer:
        found = [
            c
            for c in self.comments
            if c["issue"] == number and c["updated_at"] >= asked.query.get("since", "")
        ]
        return 200, self._page(found, asked)

    def comment(self, asked: Asked, number: str) -> Answer:
        made = {
            "id": self._number(),
            "issue": number,
            "user": {"login": "bot"},
            **asked.json,
            **self._stamps(),
        }
        self.comments.append({**made, "html_url": f"https://github.com/{REPO}/issues/{number}#c{made['id']}"})
        return 201, self.comments[-1]

    def ref(self, asked: Asked, branch: str) -> Answer:
        sha = self.refs.get(branch)
        return (200, {"object": {"sha": sha}}) if sha else (404, {"message": "Not Found"})

    def commit(self, asked: Asked, sha: str) -> Answer:
        return 200, {"sha": sha, **self.objects[sha]}

    def make_object(self, asked: Asked, kind: str) -> Answer:
        given = asked.json
        if kind == "commits":
            if given["tree"] not in self.objects or any(p not in self.objects for p in given["parents"]):
                return 422, {"message": "Tree SHA does not exist"}
            given = {**given, "tree": {"sha": given["tree"]}}
        elif (
            "tree" not in self.objects.get(given["base_tree"], {})
            or "message" in self.objects[given["base_tree"]]
        ):
            return 422, {"message": "base_tree is no tree"}
        return 201, {"sha": self._object(given)}

    def make_ref(self, asked: Asked) -> Answer:
        branch = asked.json["ref"].removeprefix("refs/heads/")
        if branch in self.refs:
            return 422, {"message": "Reference already exists"}
        self.refs[branch] = asked.json["sha"]
        return 201, {"ref": asked.json["ref"]}

    def delete_ref(self, asked: Asked, branch: str) -> Answer:
        return (204, None) if self.refs.pop(branch, None) else (422, {"message": "Reference does not exist"})

    def list_pulls(self, asked: Asked) -> Answer:
        owner, _, branch = asked.query["head"].partition(":")
        return 200, [p for p in self.pulls if owner == "acme" and p["head"]["ref"] == branch]

    def open_pull(self, asked: Asked) -> Answer:
        given = asked.json
        if given["head"] not in self.refs or given["base"] not in self.refs:
            return 422, {"message": "Validation Failed", "errors": [{"message": "base does not exist"}]}
        head = {"ref": given["head"], "sha": self.refs[given["head"]]}
        made = {
            **given,
            "number": self._number(),
            "state": "open",
            "merged": False,
            "head": head,
            "base": {"ref": given["base"]},
        }
        self.pulls.append(
            {**made, **self._stamps(), "html_url": f"https://github.com/{REPO}/pull/{made['number']}"}
        )
        return 201, self.pulls[-1]

    def pull(self, asked: Asked, number: str) -> Answer:
        found = [p for p in self.pulls if p["number"] == int(number)]
        return (200, found[0]) if found else (404, {"message": "Not Found"})

    def merge(self, asked: Asked, number: str) -> Answer:
        pull = next(p for p in self.pulls if p["number"] == int(number))
        if pull["merged"]:
            return 405, {"message": "Pull Request is not mergeable"}
        if asked.json["sha"] != pull["head"]["sha"]:
            return 409, {"message": "Head branch was modified. Review and try the merge again."}
        pull |= {"merged": True, "state": "closed", "merge_commit_sha": "c" * 40}
        return 200, {"merged": True, "sha": "c" * 40, "message": "merged"}

    def _page(self, items: list[Any], asked: Asked) -> list[Any]:
        size, page = int(asked.query.get("per_page", 30)), int(asked.query.get("page", 1))
        return items[(page - 1) * size : page * size]

    def _number(self) -> int:
        return 1 + len(self.issues) + len(self.comments) + len(self.pulls)

    def _stamps(self) -> dict[str, str]:
        now = datetime.fromtimestamp(self.now_s(), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        return {"created_at": now, "updated_at": now}

    def _object(self, value: dict[str, Any]) -> str:
        sha = hashlib.sha1(json.dumps(value).encode()).hexdigest()
        self.objects[sha] = value
        return sha


_NEEDED = (
    ("/issues", "issues"),
    ("/pulls", "pull_requests"),
    ("/git/", "contents"),
    ("/contents", "contents"),
)


def _decoded(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
