"""Whoever attacks the console by a browser: other pages, other names of this machine, stolen and forged sign-ins, hostile files."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from msgspec.structs import replace
from tests.security.openid import CLIENT, SECRET, Provider, path_of, serving
from tests.server.conftest import Site as ServerSite
from tests.server.conftest import service
from tests.server.conftest import wait_until as until

from remit import Pack, agent, open_app, tool
from remit.bootstrap import App
from remit.bootstrap.adapters import open_provider
from remit.bootstrap.identity import good_until, kept
from remit.core.codec import plain
from remit.core.errors import DeniedError
from remit.core.task import Actor
from remit.engine.keys import Identity
from remit.engine.sessions import GRACE_MS, IDLE_MS, LONGEST_MS, RENEW_MS
from remit.sdk import ToolContext
from remit.server.serving import serve
from remit.settings import OidcSettings, Settings
from remit.testing import FakeClock, app_for_tests

CSRF = "X-Remit-CSRF"
HOSTILE = b"<script>fetch('/api/v1/runs').then(r => parent.postMessage('mine', '*'))</script>"
KEPT = {"page.html": "text/html", "a.svg": "image/svg+xml", "a.png": "image/png", "a.js": "text/javascript"}
KEYS = {"ana": ("acme", ("operator",)), "adam": ("acme", ("admin", "approver")), "zoe": ("zeta", ("admin",))}


def keeping() -> Pack:
    """An agent that makes hostile files."""

    @tool
    def make(context: ToolContext) -> str:
        """Keep them."""
        for name, media_type in KEPT.items():
            context.keep(name, HOSTILE, media_type)
        return "made"

    @agent(tools=[make])
    async def keeper(input, memory, context):  # type: ignore[no-untyped-def]
        """Makes them."""
        return await context.call("make")

    return Pack("keeping", agents=[keeper])


class Site(ServerSite):
    """A server with other settings."""

    def __init__(self, home: Path, **settings: Any) -> None:
        super().__init__(home)
        self.settings = settings

    async def _main(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        base = Settings(home=self.home, store=f"sqlite:///{self.home / 'remit.db'}", **self.settings)
        async with open_app(base, packs=[service.pack(self.home), keeping()]) as self.app:
            for name, (tenant, roles) in KEYS.items():
                self.keys[name] = (await self.app.keys.create(tenant, name, roles)).secret
            await serve(self.app, port=self.port, stop=self._stop, grace_s=1.0)


@pytest.fixture(scope="module")
def console(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A built console of two files."""
    folder = tmp_path_factory.mktemp("built")
    (folder / "index.html").write_text("<!doctype html><script src='./assets/a-1.js'></script>" + " " * 2000)
    (folder / "assets").mkdir()
    (folder / "assets" / "a-1.js").write_text("'use strict';" * 500)
    (folder / "widget.js").write_text("'chat'")
    (folder.parent / "outside.js").write_text("secret")
    (folder / "link.js").symlink_to(folder.parent / "outside.js")
    (folder / "notes.exe").write_text("no")
    (folder / ".hidden.js").write_text("no")
    return folder


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, console: Path) -> Iterator[Site]:
    """A server with a console, for pages of `https://console.example` too."""
    made = Site(
        tmp_path_factory.mktemp("home"),
        console_dir=str(console),
        console_origins=("https://console.example",),
    )
    made.start()
    yield made
    made.stop()


@pytest.fixture
def browser(site: Site) -> Iterator[httpx.Client]:
    """A client that keeps cookies, as a browser does, and is signed in as `adam`."""
    with httpx.Client(base_url=site.url) as client:
        answer = client.post("/api/v1/session", json={"key": site.keys["adam"]})
        assert answer.status_code == 201, answer.text
        client.headers[CSRF] = answer.json()["csrf"]
        yield client


def code_of(answer: httpx.Response) -> str:
    """The code of a problem."""
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    return str(answer.json()["code"])


# sessions


def test_a_key_becomes_a_session(site: Site, browser: httpx.Client) -> None:
    """The browser keeps a cookie that no script reads, and knows who it is."""
    me = browser.get("/api/v1/session").json()
    assert (me["tenant_id"], me["actor_id"], me["roles"]) == ("acme", "adam", ["admin", "approver"])
    assert {"admin", "decide"} <= set(me["scopes"])
    with httpx.Client(base_url=site.url) as other:
        given = other.post("/api/v1/session", json={"key": site.keys["ana"]}).headers["set-cookie"].lower()
    assert "httponly" in given
    assert "samesite=strict" in given
    assert "path=/" in given


def test_neither_key_nor_secret_is_stored(site: Site, browser: httpx.Client) -> None:
    """What a thief of the store would get opens nothing."""
    secret = browser.cookies["remit_session"]
    session, _ = site.run(site.app.sessions.find(secret))
    kept = str(plain(session))
    assert secret.partition(".")[2] not in kept
    assert site.keys["adam"] not in kept


def test_signing_out_ends_it_at_once(site: Site, browser: httpx.Client) -> None:
    """Also for whoever has copied the cookie."""
    copied = dict(browser.cookies)
    assert browser.delete("/api/v1/session").status_code == 204
    with httpx.Client(base_url=site.url, cookies=copied) as thief:
        assert code_of(thief.get("/api/v1/runs")) == "E310"
    assert "remit_session" not in browser.cookies


def test_a_session_ends_with_its_key(site: Site) -> None:
    """A key that is revoked takes its sessions along."""
    made = site.run(site.app.keys.create("acme", "eve", ["viewer"]))
    with httpx.Client(base_url=site.url) as client:
        client.post("/api/v1/session", json={"key": made.secret}).raise_for_status()
        client.get("/api/v1/runs").raise_for_status()
        site.run(site.app.keys.revoke(made.key_id))
        assert code_of(client.get("/api/v1/runs")) == "E310"


def test_a_code_signs_in_once(site: Site) -> None:
    """The second to use it is refused, and so is what was never a code."""
    code = site.run(site.app.sessions.code_for(site.keys["adam"]))
    with httpx.Client(base_url=site.url) as first, httpx.Client(base_url=site.url) as second:
        assert first.post("/api/v1/session", json={"code": code}).json()["actor_id"] == "adam"
        assert code_of(second.post("/api/v1/session", json={"code": code})) == "E1050"
        assert (
            code_of(second.post("/api/v1/session", json={"code": first.cookies["remit_session"]})) == "E1050"
        )


def test_a_code_is_no_session(site: Site) -> None:
    """One kind of secret does not stand for the other."""
    code = site.run(site.app.sessions.code_for(site.keys["adam"]))
    with httpx.Client(base_url=site.url, cookies={"remit_session": code}) as client:
        assert code_of(client.get("/api/v1/runs")) == "E310"


def test_two_who_use_a_code_at_once(site: Site) -> None:
    """One of them gets in."""

    async def both() -> list[Any]:
        code = await site.app.sessions.code_for(site.keys["adam"])
        return await asyncio.gather(
            *(site.app.sessions.open_with_code(code) for _ in range(5)), return_exceptions=True
        )

    assert sum(not isinstance(each, Exception) for each in site.run(both())) == 1


async def test_time_ends_sessions_and_codes(tmp_path: Path) -> None:
    """Twelve hours without use, seven days at most; a code after five minutes. Secrets are replaced as time goes by."""
    clock = FakeClock()
    async with open_app(
        Settings(home=tmp_path, store="memory:"), packs=[service.pack(tmp_path)], clock=clock
    ) as app:
        key = (await app.keys.create("acme", "ana", ["viewer"])).secret
        code = await app.sessions.code_for(key)
        clock.advance(301)
        assert await _fails(app.sessions.open_with_code(code)) == "E1050"
        opened = await app.sessions.open_with_key(key)
        assert await app.sessions.renew(opened.session) is None
        clock.advance(RENEW_MS / 1000)
        renewed = await app.sessions.renew(opened.session)
        assert renewed is not None
        assert await app.sessions.renew(opened.session) is None, "only one tab renews"
        await app.sessions.find(opened.secret)
        clock.advance(GRACE_MS / 1000)
        assert await _fails(app.sessions.find(opened.secret)) == "E310"
        await app.sessions.find(renewed.secret)
        clock.advance(IDLE_MS / 1000)
        assert await _fails(app.sessions.find(renewed.secret)) == "E310"
        assert await _lasts(app, clock, key) == LONGEST_MS


async def _lasts(app: App, clock: FakeClock, key: str) -> int:
    """How long a session lasts that is always in use."""
    opened, began = await app.sessions.open_with_key(key), clock.now()
    while True:
        clock.advance(RENEW_MS / 1000)
        try:
            await app.sessions.find(opened.secret)
        except Exception:
            return clock.now() - began
        opened = await app.sessions.renew(opened.session) or opened


async def test_what_is_over_is_removed(tmp_path: Path) -> None:
    """Sessions that nobody ends do not pile up."""
    clock = FakeClock()
    async with open_app(
        Settings(home=tmp_path, store="memory:"), packs=[service.pack(tmp_path)], clock=clock
    ) as app:
        key = (await app.keys.create("acme", "ana", ["viewer"])).secret
        for _ in range(5):
            await app.sessions.open_with_key(key)
        clock.advance(IDLE_MS / 1000 + 1)
        await app.sessions.open_with_key(key)
        page = await app.store.query("web_session", "by_expiry", ("session",))
        assert len(page.items) == 1


async def _fails(work: Any) -> str:
    with pytest.raises(Exception) as caught:
        await work
    return str(getattr(caught.value, "code", caught.value))


def test_guessing_is_slowed(tmp_path: Path) -> None:
    """After ten failures from one address it has to wait, whatever it sends."""
    site = Site(tmp_path)
    site.start()
    try:
        with httpx.Client(base_url=site.url) as client:
            for _ in range(10):
                assert client.post("/api/v1/session", json={"key": "remit_guess"}).status_code == 401
            answer = client.post("/api/v1/session", json={"key": site.keys["ana"]})
            assert (answer.status_code, code_of(answer)) == (429, "E1054")
            assert int(answer.headers["retry-after"]) > 0
            assert client.get("/api/v1/runs", headers={"x-api-key": site.keys["ana"]}).status_code == 200
    finally:
        site.stop()


# other pages


CHANGES = [
    ("POST", "/api/v1/runs", {"task_id": "x", "agent": "echo"}),
    ("POST", "/api/v1/keys", {"actor_id": "mallory", "roles": ["admin"]}),
    ("PUT", "/api/v1/definitions/prompt/p", {"spec": {"text": "x"}, "reason": "x"}),
    ("DELETE", "/api/v1/keys/abc", None),
    ("DELETE", "/api/v1/session", None),
    ("POST", "/chat", {"user_id": "u", "query": "hi"}),
    ("POST", "/mcp", {}),
]


@pytest.mark.parametrize(("method", "path", "body"), CHANGES, ids=[f"{m} {p}" for m, p, _ in CHANGES])
def test_a_change_by_cookie_needs_the_header(
    browser: httpx.Client, method: str, path: str, body: dict[str, Any] | None
) -> None:
    """A form or an image of another page can send a cookie, never our header."""
    del browser.headers[CSRF]
    answer = browser.request(method, path, json=body)
    assert (answer.status_code, code_of(answer)) == (403, "E1052")
    wrong = browser.request(method, path, json=body, headers={CSRF: "A" * 43})
    assert code_of(wrong) == "E1052"


FOREIGN = ["https://evil.example", "http://127.0.0.1:3000", "http://localhost", "null", "file://"]


@pytest.mark.parametrize("origin", FOREIGN)
def test_a_cookie_does_not_count_for_another_page(browser: httpx.Client, origin: str) -> None:
    """Not even of another program on this machine, and not even with the header."""
    for method in ("GET", "POST"):
        answer = browser.request(method, "/api/v1/runs", headers={"Origin": origin})
        assert (answer.status_code, code_of(answer)) == (403, "E1051")
        assert "access-control-allow-credentials" not in answer.headers


@pytest.mark.parametrize("relation", ["same-site", "cross-site"])
def test_nor_for_a_request_that_a_browser_calls_foreign(browser: httpx.Client, relation: str) -> None:
    """Images and scripts of other pages have no Origin; what the browser says of them counts."""
    assert code_of(browser.get("/api/v1/runs", headers={"Sec-Fetch-Site": relation})) == "E1051"
    assert browser.get("/api/v1/runs", headers={"Sec-Fetch-Site": "same-origin"}).status_code == 200


def test_nobody_is_signed_in_by_another_page(site: Site) -> None:
    """Else a page could have somebody work under the attacker's name."""
    with httpx.Client(base_url=site.url) as victim:
        answer = victim.post(
            "/api/v1/session", json={"key": site.keys["zoe"]}, headers={"Origin": "https://evil.example"}
        )
        assert code_of(answer) == "E1051"
        form = victim.post("/api/v1/session", data={"key": site.keys["zoe"]})
        assert form.status_code == 415
        assert not victim.cookies


def test_a_console_elsewhere_uses_keys_alone(site: Site, browser: httpx.Client) -> None:
    """Pages of a named origin may call with a key; cookies are never let through, and other origins not at all."""
    here = {"Origin": "https://console.example"}
    with httpx.Client(base_url=site.url) as page:
        asked = page.options(
            "/api/v1/definitions/prompt/x", headers={**here, "Access-Control-Request-Method": "PUT"}
        )
        assert asked.status_code == 204
        assert asked.headers["access-control-allow-origin"] == "https://console.example"
        assert "PUT" in asked.headers["access-control-allow-methods"]
        assert "authorization" in asked.headers["access-control-allow-headers"]
        got = page.get("/api/v1/runs", headers={**here, "Authorization": f"Bearer {site.keys['ana']}"})
        assert got.status_code == 200
        assert got.headers["access-control-allow-origin"] == "https://console.example"
        assert "access-control-allow-credentials" not in got.headers
        for path in ("/api/v1/runs", "/chat", "/health"):
            refused = page.options(path, headers={"Origin": "https://evil.example"})
            assert "access-control-allow-origin" not in refused.headers
        assert "access-control-allow-origin" not in page.get("/", headers=here).headers
    assert code_of(browser.get("/api/v1/runs", headers=here)) == "E1051"


def test_events_reach_a_console_elsewhere(site: Site) -> None:
    """Streams too are let through to the named origin."""
    headers = {"Origin": "https://console.example", "Authorization": f"Bearer {site.keys['adam']}"}
    with httpx.Client(base_url=site.url, headers=headers) as page:
        made = page.post("/api/v1/runs", json={"task_id": "cors-1", "agent": "echo", "input": {}})
        run_id = made.json()["run_id"]
        with page.stream(
            "GET", f"/api/v1/runs/{run_id}/events", headers={"Accept": "text/event-stream"}
        ) as stream:
            assert stream.headers["content-type"].startswith("text/event-stream")
            assert stream.headers["access-control-allow-origin"] == "https://console.example"
            assert "content-encoding" not in stream.headers


# other names of this machine


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:{port}", "127.0.0.1:1", "127.0.0.1", "[::1]", ""]
)
def test_a_local_server_answers_to_its_own_names_only(site: Site, host: str) -> None:
    """A page whose name was pointed to this machine reads nothing, with or without credentials."""
    named = host.format(port=site.port)
    with httpx.Client(base_url=site.url) as rebound:
        for path in ("/health", "/", "/api/v1/session", "/mcp"):
            answer = rebound.get(path, headers={"Host": named})
            assert answer.status_code in ((421, 400) if not named else (421,)), path
            assert named or answer.status_code != 200


@pytest.mark.parametrize("name", ["localhost", "127.0.0.1", "[::1]", "LOCALHOST"])
def test_the_names_of_loopback_are_its_own(site: Site, name: str) -> None:
    """By the port that it listens on."""
    assert httpx.get(f"{site.url}/health", headers={"Host": f"{name}:{site.port}"}).status_code == 200


def test_a_proxy_names_what_people_open(tmp_path: Path) -> None:
    """REMIT_URL is another name; over TLS the cookie is one that browsers keep to this host."""
    site = Site(tmp_path, url="https://remit.example.com")
    site.start()
    try:
        outside = {"Host": "remit.example.com", "Origin": "https://remit.example.com"}
        with httpx.Client(base_url=site.url, headers=outside) as client:
            answer = client.post("/api/v1/session", json={"key": site.keys["ana"]})
            assert answer.status_code == 201
            given = answer.headers["set-cookie"]
            assert given.startswith("__Host-remit_session=")
            assert "secure" in given.lower()
            assert "domain" not in given.lower()
            cookie = given.partition(";")[0]
            me = client.get("/api/v1/session", headers={"Cookie": cookie})
            assert me.json()["actor_id"] == "ana"
            plain_name = cookie.removeprefix("__Host-")
            assert code_of(client.get("/api/v1/session", headers={"Cookie": plain_name})) == "E310"
    finally:
        site.stop()


# files


def test_files_are_compressed_kept_and_confined(site: Site) -> None:
    """The page under a policy without inline scripts; what has a hash in its name for ever; nothing twice."""
    with httpx.Client(base_url=site.url) as client:
        page = client.get("/")
        assert page.headers["content-type"] == "text/html; charset=utf-8"
        policy = dict(part.split(" ", 1) for part in page.headers["content-security-policy"].split("; "))
        assert policy["default-src"] == "'none'"
        assert policy["script-src"] == policy["connect-src"] == "'self'"
        assert policy["frame-ancestors"] == policy["form-action"] == policy["base-uri"] == "'none'"
        assert page.headers["x-content-type-options"] == "nosniff"
        assert page.headers["referrer-policy"] == "no-referrer"
        assert page.headers["cache-control"] == "no-cache"
        assert page.headers["content-encoding"] == "gzip"
        again = client.get("/", headers={"If-None-Match": page.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")
        script = client.get("/assets/a-1.js")
        assert script.headers["cache-control"] == "public, max-age=31536000, immutable"
        whole = client.get("/assets/a-1.js", headers={"Accept-Encoding": "identity"})
        assert "content-encoding" not in whole.headers
        assert whole.content == script.content
        assert client.head("/").status_code == 200
        owner = "cross-origin-resource-policy"
        assert (page.headers[owner], script.headers[owner]) == ("same-origin", "same-origin")
        assert client.get("/widget.js").headers[owner] == "cross-origin"
        assert (
            client.get("/api/v1/runs", headers={"x-api-key": site.keys["ana"]}).headers["cache-control"]
            == "no-store"
        )


@pytest.mark.parametrize(
    "path",
    ["/../outside.js", "/%2e%2e/outside.js", "/assets/%2e%2e%2f..%2foutside.js", "/link.js", "/notes.exe",
     "/.hidden.js", "/assets", "/assets/", "/%00.js", "/..%5coutside.js", "/no-such.js", "//etc/passwd"],
)  # fmt: skip
def test_nothing_else_is_served(site: Site, path: str) -> None:
    """No file outside the folder, of another kind, or hidden."""
    request = httpx.Request("GET", site.url + "/")
    request.url = httpx.URL(site.url + "/").copy_with(raw_path=path.encode())
    with httpx.Client() as client:
        answer = client.send(request)
    assert answer.status_code in (400, 404)
    assert b"secret" not in answer.content


def test_without_a_console_a_page_says_how_to_build_it(tmp_path: Path) -> None:
    """To a browser; programs get the problem that they know."""
    site = Site(tmp_path, console_dir=str(tmp_path / "none"))
    site.start()
    try:
        page = httpx.get(site.url, headers={"Accept": "text/html"})
        assert (page.status_code, "make console" in page.text) == (404, True)
        assert "default-src 'none'" in page.headers["content-security-policy"]
        assert code_of(httpx.get(site.url, headers={"Accept": "*/*"})) == "E104"
        (tmp_path / "none").mkdir()
        (tmp_path / "none" / "index.html").write_text("built")
        assert httpx.get(site.url).text == "built"
    finally:
        site.stop()


def test_what_an_agent_made_opens_nowhere_as_ours(site: Site, browser: httpx.Client) -> None:
    """A page is a download, or a frame without an origin; a picture is nothing but a picture."""
    with site.client("ana") as ana:
        run_id = ana.post("/api/v1/runs", json={"task_id": "kept", "agent": "keeper"}).json()["run_id"]
        until(lambda: ana.get(f"/api/v1/runs/{run_id}").json()["status"] == "success")
    at = f"/api/v1/runs/{run_id}/artifacts"

    def seen(name: str, dest: str = "document", **query: str) -> tuple[str, str, str]:
        answer = browser.get(f"{at}/{name}", params=query, headers={"Sec-Fetch-Dest": dest})
        assert answer.headers["x-content-type-options"] == "nosniff"
        policy = answer.headers["content-security-policy"]
        assert policy.startswith("sandbox")
        assert "allow-same-origin" not in policy
        assert "default-src 'none'" in policy
        return answer.headers["content-disposition"].partition(";")[0], answer.headers["content-type"], policy

    download = ("attachment", "application/octet-stream")
    assert {seen(name)[:2] for name in KEPT} == {download}
    assert seen("page.html", inline="true")[:2] == download
    assert seen("a.js", "iframe", inline="true")[:2] == download
    way, media, policy = seen("page.html", "iframe", inline="true")
    assert (way, media) == ("inline", "text/html; charset=utf-8")
    assert "sandbox allow-scripts;" in policy
    assert "connect-src" not in policy
    assert "frame-ancestors 'self'" in policy
    way, media, policy = seen("a.svg", "image", inline="true")
    assert (way, media, "script" in policy) == ("inline", "image/svg+xml", False)
    assert seen("a.png", "image", inline="true")[:2] == ("inline", "image/png")


# the OpenID provider


@pytest.fixture(scope="module")
def truthful() -> Iterator[Provider]:
    """A provider."""
    with serving() as made:
        yield made


@pytest.fixture(scope="module")
def member(tmp_path_factory: pytest.TempPathFactory, truthful: Provider) -> Iterator[Site]:
    """A server whose people sign in at the provider."""
    site = Site(
        tmp_path_factory.mktemp("member"),
        secrets={"oidc_client_secret": SECRET},
        oidc=OidcSettings(
            issuer=truthful.issuer,
            client_id=CLIENT,
            client_secret="oidc_client_secret",
            tenant_claim="org",
            roles={"leads": ("approver",), "ops": ("operator", "viewer")},
            label="Example ID",
        ),
    )
    site.start()
    yield site
    site.stop()


@pytest.fixture
def provider(truthful: Provider) -> Provider:
    """The provider, as long as nobody tells it to lie."""
    truthful.lie, truthful.claims = "", {}
    truthful.asked.clear()
    return truthful


@pytest.fixture
def oidc(member: Site, provider: Provider) -> Site:
    """The server, which knows nothing of the provider yet."""
    app = member.app
    app.provider = open_provider(app.settings, app.kit.secrets, app.clock)
    return member


def sign_in(site: Site, client: httpx.Client) -> httpx.Response:
    """Go to the provider and come back, as a browser does."""
    there = client.get("/api/v1/session/oidc")
    assert there.status_code == 303, there.text
    back = httpx.get(there.headers["location"])
    assert back.status_code == 302, back.text
    return client.get(path_of(back.headers["location"]))


def test_people_sign_in_at_their_provider(oidc: Site, provider: Provider) -> None:
    """With state, nonce and PKCE; tenant and roles are what the settings make of the claims."""
    with httpx.Client(base_url=oidc.url) as client:
        assert client.get("/api/v1/session/ways").json() == {"oidc": "Example ID"}
        done = sign_in(oidc, client)
        assert (done.status_code, done.headers["location"]) == (303, "/#/")
        me = client.get("/api/v1/session").json()
        assert (me["tenant_id"], me["actor_id"], me["roles"]) == ("acme", "u-17", ["approver"])
        assert me["scopes"] == ["approvals", "decide", "read"]
        asked = provider.asked[0]
        assert asked["response_type"] == "code"
        assert asked["code_challenge_method"] == "S256"
        assert len({asked["state"], asked["nonce"], asked["code_challenge"]}) == 3
        assert asked["redirect_uri"] == f"{oidc.url}/api/v1/session/oidc/callback"
        assert client.post("/api/v1/runs", json={}).status_code == 403
        assert code_of(client.post("/api/v1/runs", json={}, headers={CSRF: me["csrf"]})) == "E320"


def test_the_roles_of_a_session_are_those_of_the_moment(
    oidc: Site, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the provider said is kept, what it opens is not: a role map that is changed counts at the next request."""
    now = oidc.app.settings

    def changed(**fields: Any) -> None:
        monkeypatch.setattr(oidc.app, "settings", replace(now, oidc=replace(now.oidc, **fields)))

    provider.claims = {"groups": ["leads", "ops"]}
    with httpx.Client(base_url=oidc.url) as client:
        sign_in(oidc, client)
        assert client.get("/api/v1/session").json()["roles"] == ["approver", "operator", "viewer"]
        changed(roles={"ops": ("viewer",)})
        assert client.get("/api/v1/session").json()["roles"] == ["viewer"]
        for gone in ({"roles": {"others": ("viewer",)}}, {"issuer": "https://id.example"}, {"issuer": ""}):
            changed(**gone)
            assert client.get("/api/v1/session").status_code == 401
        changed()
        assert client.get("/api/v1/session").status_code == 200


@pytest.mark.parametrize(("session_s", "lasts_s"), [(7200, 7200), (0, 300)], ids=["limit", "token"])
async def test_the_word_of_a_provider_ends(tmp_path: Path, session_s: int, lasts_s: int) -> None:
    """However often somebody comes back; of the claims only those that say who somebody is are kept."""
    settings = OidcSettings(
        issuer="https://id.example",
        client_id=CLIENT,
        tenant="acme",
        roles_claim="realm.roles",
        roles={"leads": ("approver",)},
        session_s=session_s,
    )
    clock = FakeClock()
    async with app_for_tests(clock=clock, home=tmp_path, oidc=settings) as app:
        claims = {"iss": settings.issuer, "sub": "u-17", "exp": clock.now() // 1000 + 300}
        token = {**claims, "realm": {"roles": ["leads"]}, "phone_number": "123"}
        until = good_until(token, settings, clock.now())
        opened = await app.sessions.open_vouched(kept(token, settings), until)
        assert opened.session.claims == {"iss": settings.issuer, "sub": "u-17", "realm.roles": ["leads"]}
        secret = opened.secret
        for _ in range(3):
            clock.advance((lasts_s - 1) / 3)
            session, who = await app.sessions.find(secret)
            assert who == Identity("acme", Actor("u-17", ("approver",), "oidc"))
            renewed = await app.sessions.renew(session)
            assert session.expires_ts <= until
            secret = renewed.secret if renewed else secret
        clock.advance(2)
        with pytest.raises(DeniedError, match="no longer"):
            await app.sessions.find(secret)


FORGED: list[tuple[str, dict[str, Any]]] = [
    ("none", {}),
    ("shared", {}),
    ("stranger", {}),
    ("kid", {}),
    ("", {"iss": "https://evil.example"}),
    ("", {"aud": "another"}),
    ("", {"aud": [CLIENT, "another"]}),
    ("", {"azp": "another"}),
    ("", {"nonce": "another"}),
    ("", {"nonce": None}),
    ("", {"exp": 1_000_000_000}),
    ("", {"exp": None}),
    ("", {"iat": 9_000_000_000}),
    ("", {"nbf": 9_000_000_000}),
    ("", {"sub": None}),
]


@pytest.mark.parametrize(("lie", "claims"), FORGED, ids=[f"{lie or 'claims'} {c}" for lie, c in FORGED])
def test_a_forged_token_opens_nothing(
    oidc: Site, provider: Provider, lie: str, claims: dict[str, Any]
) -> None:
    """Unsigned, signed by somebody else, over, for somebody else, or of another sign-in."""
    provider.lie, provider.claims = lie, claims
    with httpx.Client(base_url=oidc.url) as client:
        done = sign_in(oidc, client)
        assert done.headers["location"] == "/#/login?problem=E1056"
        assert client.get("/api/v1/session").status_code == 401


@pytest.mark.parametrize(
    "claims",
    [{"groups": ["guests"]}, {"groups": None}, {"groups": "leads and more"}, {"org": None}, {"org": "a/b"}, {"org": ["acme"]}],
    ids=str,
)  # fmt: skip
def test_nobody_without_tenant_and_role_comes_in(
    oidc: Site, provider: Provider, claims: dict[str, Any]
) -> None:
    """Being known to the provider is not enough."""
    provider.claims = claims
    with httpx.Client(base_url=oidc.url) as client:
        assert sign_in(oidc, client).headers["location"] == "/#/login?problem=E1057"
        assert client.get("/api/v1/session").status_code == 401


@pytest.mark.parametrize("lie", ["issuer", "plain"])
def test_a_provider_that_is_another_is_not_used(oidc: Site, provider: Provider, lie: str) -> None:
    """It must be who the settings say, and its addresses must be safe."""
    provider.lie = lie
    with httpx.Client(base_url=oidc.url) as client:
        assert client.get("/api/v1/session/oidc").headers["location"] == "/#/login?problem=E1055"


def test_an_answer_belongs_to_the_browser_that_asked(oidc: Site, provider: Provider) -> None:
    """An attacker's way back, sent to a victim, signs nobody in; nor does a used one."""
    with httpx.Client(base_url=oidc.url) as attacker, httpx.Client(base_url=oidc.url) as victim:
        there = attacker.get("/api/v1/session/oidc").headers["location"]
        back = path_of(httpx.get(there).headers["location"])
        assert victim.get(back).headers["location"] == "/#/login?problem=E1056"
        victim.get("/api/v1/session/oidc")
        assert victim.get(back).headers["location"] == "/#/login?problem=E1056"
        assert victim.get("/api/v1/session").status_code == 401
        kept = dict(attacker.cookies)
        assert attacker.get(back).headers["location"] == "/#/"
        with httpx.Client(base_url=oidc.url, cookies=kept) as again:
            assert again.get(back).headers["location"] == "/#/login?problem=E1056"


def test_the_provider_cannot_send_people_elsewhere(oidc: Site, provider: Provider) -> None:
    """Whatever comes back, the browser stays here."""
    with httpx.Client(base_url=oidc.url) as client:
        for query in (
            "",
            "?error=<script>&state=x",
            "?state=x&code=y&next=https://evil.example",
            "?code=" + "x" * 9000,
        ):
            done = client.get(f"/api/v1/session/oidc/callback{query}")
            assert done.headers["location"] == "/#/login?problem=E1056"


@pytest.mark.parametrize("missing", ["client_id", "roles", "tenant_claim"])
def test_settings_by_which_nobody_or_everybody_gets_in_are_refused(tmp_path: Path, missing: str) -> None:
    """When the program starts, not when somebody signs in."""
    whole = OidcSettings(
        issuer="https://id.example", client_id="x", tenant_claim="org", roles={"a": ("viewer",)}
    )
    broken = replace(whole, **{missing: {} if missing == "roles" else ""})
    with pytest.raises(Exception, match="E1055"):
        open_app(Settings(home=tmp_path, store="memory:", oidc=broken), packs=[service.pack(tmp_path)])


def test_no_session_without_a_provider(site: Site) -> None:
    """The addresses exist, and lead back to the sign-in page."""
    with httpx.Client(base_url=site.url) as client:
        assert client.get("/api/v1/session/ways").json() == {"oidc": None}
        for path in ("/api/v1/session/oidc", "/api/v1/session/oidc/callback"):
            assert client.get(path).headers["location"] == "/#/login?problem=E1055"


# settings


def test_keys_are_made_listed_and_ended_by_an_administrator(site: Site, browser: httpx.Client) -> None:
    """Of the own tenant only; the secret is shown once."""
    made = browser.post("/api/v1/keys", json={"actor_id": "newcomer", "roles": ["viewer"], "days": 1})
    assert made.status_code == 201
    secret, key_id = made.json()["secret"], made.json()["key_id"]
    listed = browser.get("/api/v1/keys", params={"limit": 1}).json()
    assert listed["items"][0]["key_id"] == key_id
    assert listed["cursor"]
    assert secret not in browser.get("/api/v1/keys").text
    with httpx.Client(base_url=site.url, headers={"x-api-key": site.keys["zoe"]}) as other:
        assert other.delete(f"/api/v1/keys/{key_id}").status_code == 404
    with httpx.Client(base_url=site.url, headers={"x-api-key": secret}) as newcomer:
        assert code_of(newcomer.get("/api/v1/keys")) == "E320"
        assert code_of(newcomer.get("/api/v1/doctor")) == "E320"
        assert newcomer.get("/api/v1/about").status_code == 200
        assert browser.delete(f"/api/v1/keys/{key_id}").status_code == 204
        assert code_of(newcomer.get("/api/v1/about")) == "E310"


def test_what_runs_here_names_no_address_and_no_secret(site: Site, browser: httpx.Client) -> None:
    """Adapters by kind; the doctor's findings, for an administrator."""
    about = browser.get("/api/v1/about").json()
    assert about["adapters"]["store"] == "sqlite"
    assert about["packs"] == ["keeping", "service"]
    assert {extra["name"] for extra in about["extras"]} >= {"postgres", "deploy"}
    assert str(site.home) not in str(about)
    found = {f["check"]: f for f in browser.get("/api/v1/doctor", timeout=60).json()["items"]}
    assert found["store"]["verdict"] == "ok"
    assert "agents" in found
    assert "port" not in found
