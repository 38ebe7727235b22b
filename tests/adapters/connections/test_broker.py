"""The broker of credentials: short-lived, scoped, a tenant's own, renewed once, and seen by nobody."""

from __future__ import annotations

import asyncio
import base64
import io
import json
import logging
from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest
from hypothesis import given as drawn
from hypothesis import settings as drawing
from hypothesis import strategies as st
from tests.packs.platforms.calling import SECRETS, called, caller, connection, opened
from tests.packs.platforms.standins.base import Standin, serving
from tests.packs.platforms.standins.github import REPO, GitHub
from tests.packs.platforms.standins.jira import Jira
from tests.packs.platforms.standins.slack import CHANNEL, Slack

from remit import agent, tool
from remit.adapters.connections.broker import check_request
from remit.adapters.connections.grants import COLLECTIONS, GRANT
from remit.adapters.connections.places import place
from remit.adapters.secrets.mapping import MappingSecrets
from remit.adapters.secrets.minted import KEPT, MintedSecrets
from remit.adapters.store.memory import MemoryStore
from remit.adapters.telemetry import logs
from remit.bootstrap import App
from remit.bootstrap.connections import ConnectionOpener
from remit.core.errors import ConfigError, StoreError, ToolError
from remit.ports.connections import Connections
from remit.sdk import ToolContext
from remit.settings import Connection
from remit.testing import FakeClock, app_for_tests, task
from remit_packs.platforms import SLACK


@pytest.fixture
def github() -> Iterator[GitHub]:
    """GitHub."""
    with serving(GitHub()) as made:
        assert isinstance(made, GitHub)
        yield made


@pytest.fixture
def jira() -> Iterator[Jira]:
    """Jira."""
    with serving(Jira()) as made:
        assert isinstance(made, Jira)
        yield made


@pytest.fixture
def slack() -> Iterator[Slack]:
    """Slack, where a refresh token is good for one use."""
    with serving(Slack()) as made:
        assert isinstance(made, Slack)
        made.once = True
        yield made


async def with_grants() -> MemoryStore:
    """A store that has the collection of grants."""
    store = MemoryStore(FakeClock())
    await store.declare(COLLECTIONS)
    return store


class Rig:
    """A broker as the program opens it."""

    def __init__(
        self, connections: dict[str, Connection], store: Any = None, timeout_s: float = 20.0, **secrets: str
    ) -> None:
        self.clock = FakeClock()
        self.secrets = MintedSecrets(MappingSecrets({**SECRETS, **secrets}))
        self.opener = ConnectionOpener(
            connections, store or MemoryStore(self.clock), self.clock, self.secrets, timeout_s=timeout_s
        )

    def of(self, tenant_id: str = "local") -> Connections:
        """A tenant's connections."""
        return self.opener.of(tenant_id)


def rig(there: Standin, store: Any = None, **more: Any) -> Rig:
    """A broker with one platform."""
    return Rig({there.platform: connection(there, **more)}, store)


async def read(rig: Rig, there: Standin, tenant_id: str = "local") -> Any:
    """Something that every connection may read."""
    asked: dict[str, Any] = {
        "github": {"path": f"/repos/{REPO}/issues", "scopes": ("issues:read",), "repository": REPO},
        "jira": {"path": "/rest/api/3/search/jql", "query": {"jql": "x", "maxResults": 1}},
        "slack": {"path": "/conversations.info", "query": {"channel": CHANNEL}},
    }[there.platform]
    return await rig.of(tenant_id).request(there.platform, "GET", asked.pop("path"), **asked)


async def test_a_token_of_an_app_has_the_rights_of_the_call_and_of_one_repository(github: GitHub) -> None:
    """GitHub is asked for exactly these, by a JWT that it can verify; another call gets another token."""
    broker = rig(github)
    await read(broker, github)
    given: dict[str, Any] = {"json": {"title": "t"}, "scopes": ("issues:write",), "repository": REPO}
    assert (await broker.of().request("github", "POST", f"/repos/{REPO}/issues", **given)).status == 201
    assert [*github.grants.values()] == [
        {"permissions": {"issues": "read"}, "repositories": ["shop"]},
        {"permissions": {"issues": "write"}, "repositories": ["shop"]},
    ]
    given["scopes"] = ("issues:read",)
    assert (await broker.of().request("github", "POST", f"/repos/{REPO}/issues", **given)).status == 403


async def test_a_credential_is_kept_until_a_minute_before_it_ends(github: GitHub) -> None:
    """Then another one is got."""
    broker = rig(github)
    await read(broker, github)
    broker.clock.advance(github.lasts_s - 61)
    await read(broker, github)
    assert github.tokens_made == 1
    broker.clock.advance(2)
    github.now_s = lambda: broker.clock.now() / 1000
    await read(broker, github)
    assert github.tokens_made == 2


@pytest.mark.parametrize("platform", ["github", "jira", "slack"])
async def test_a_credential_that_is_refused_is_renewed_once(
    platform: str, request: pytest.FixtureRequest
) -> None:
    """A token that was revoked is replaced and the request sent again; one that is refused at once is a failure."""
    there: Standin = request.getfixturevalue(platform)
    broker = rig(there, await with_grants())
    await read(broker, there)
    there.tokens.clear()
    assert (await read(broker, there)).status == 200
    assert there.tokens_made == 2
    there.failures.extend([there.unauthorized()] * 2)  # type: ignore[list-item]
    with pytest.raises(ToolError, match="refuses the credential") as failure:
        await read(broker, there)
    assert failure.value.code == "E982"
    assert there.tokens_made == 3


async def test_a_refresh_token_that_rotates_outlives_the_process(slack: Slack) -> None:
    """What the last refresh gave is kept in the store, sealed; the secret that was used up is not needed again."""
    store = await with_grants()
    await read(rig(slack, store), slack)
    kept = await store.get(GRANT, ("local", "slack"))
    assert kept is not None
    assert all(token not in json.dumps(kept) for token in (*slack.tokens, *slack.refresh_tokens))
    later = rig(slack, store)
    await read(later, slack)
    assert slack.tokens_made == 1  # the access token is still good
    later.clock.advance(slack.lasts_s)
    await read(later, slack)
    assert slack.tokens_made == 2


async def test_a_platform_that_was_connected_anew_is_opened_by_the_new_secret(slack: Slack) -> None:
    """Although a grant from before is kept, which is worth nothing any more."""
    store = await with_grants()
    await read(rig(slack, store), slack)
    slack.tokens.clear()
    slack.refresh_tokens = {"xoxe-1-anew"}
    anew = Rig({"slack": connection(slack)}, store, slack_refresh_token="xoxe-1-anew")
    assert (await read(anew, slack)).status == 200
    slack.tokens.clear()
    slack.refresh_tokens.clear()
    with pytest.raises(ToolError, match="gives no token"):
        await read(rig(slack, store), slack)


class Behind:
    """A store that shows the first reader what was there a moment ago: nothing."""

    def __init__(self, store: MemoryStore) -> None:
        self._store = store
        self._shown = 0
        self.transact = store.transact

    async def get(self, collection: str, key: tuple[str, ...]) -> Any:
        """Nothing at first, then what is there."""
        self._shown += 1
        return await self._store.get(collection, key) if self._shown > 1 else None


async def test_two_processes_share_a_rotation(slack: Slack) -> None:
    """Whoever comes second with a refresh token that is used up takes what the first one was given."""
    store = await with_grants()
    await read(rig(slack, store), slack)
    assert (await read(rig(slack, Behind(store)), slack)).status == 200
    assert slack.tokens_made == 1


async def test_a_tenant_has_its_own_connections_and_secrets(jira: Jira) -> None:
    """`acme__jira` is acme's; without secrets of its own a tenant gets nowhere, whatever the deployment has."""
    both = {"jira": connection(jira), "acme__jira": connection(jira, client_id="acme-svc")}
    broker = Rig(both, acme__jira_client_secret=jira.client_secret)
    await read(broker, jira, "acme")
    assert jira.asked[0].form["client_id"] == "acme-svc"
    await read(broker, jira, "local")
    assert jira.tokens_made == 2
    with pytest.raises(ConfigError, match="umbrella__jira_client_secret"):
        await read(broker, jira, "umbrella")
    for name in ("acme__jira", "nowhere"):
        with pytest.raises(ConfigError, match="is not connected"):
            await broker.of().request(name, "GET", "/x")


async def test_scopes_bound_what_tools_may_ask_for(jira: Jira) -> None:
    """Writing includes reading; anything else is refused before anything is sent, and a token is asked for by scope."""
    broker = rig(jira, scopes=("write:jira-work", "issue:write"))
    ask = broker.of().request
    await ask(
        "jira", "GET", "/rest/api/3/search/jql", query={"jql": "x", "maxResults": 1}, scopes=["issue:read"]
    )
    assert jira.asked[0].form["scope"] == "issue:read"
    sent = len(jira.asked)
    with pytest.raises(ToolError, match="without the scope `delete:issue`") as refusal:
        await ask("jira", "DELETE", "/rest/api/3/issue/SHOP-1", scopes=["delete:issue"])
    assert (refusal.value.code, len(jira.asked)) == ("E984", sent)


@drawing(max_examples=60, deadline=None)
@drawn(st.text("/.%\\?#@: ab2eE5\n\0é", max_size=20))
def test_no_path_leads_elsewhere(path: str) -> None:
    """What is sent goes below the platform's address, as it was written; all else is refused."""
    where = place("jira", url="https://jira.example/base")
    try:
        check_request(where, "GET", path)
    except ToolError:
        return
    whole = urlsplit(where.url + path)
    assert (whole.netloc, whole.query, whole.fragment) == ("jira.example", "", "")
    assert whole.path.startswith("/base/")
    assert ".." not in unquote(whole.path).split("/")


async def test_a_dry_run_connection_changes_nothing_whatever_a_tool_does(jira: Jira) -> None:
    """The broker itself refuses."""
    with pytest.raises(ToolError, match="for dry runs only"):
        await rig(jira, dry_run=True).of().request("jira", "POST", "/rest/api/3/issue", json={})
    assert jira.asked == []


async def test_a_platform_that_never_answers_is_given_up(jira: Jira) -> None:
    """What was read may be read again; of a change nobody knows, and it is not sent again here."""
    broker = Rig({"jira": connection(jira)}, timeout_s=0.3)
    await read(broker, jira)
    jira.failures.append("hang")
    with pytest.raises(ToolError, match="took longer") as failure:
        await read(broker, jira)
    assert (failure.value.code, failure.value.retryable) == ("E981", True)
    jira.failures.append("hang")
    with pytest.raises(ConnectionError):
        await broker.of().request("jira", "POST", "/rest/api/3/issue/SHOP-1/transitions", json={})
    assert len(jira.changes) == 1


async def test_a_store_that_is_down_sends_nothing(slack: Slack) -> None:
    """The refresh token cannot be read: that certainly changed nothing."""

    class Down(MemoryStore):
        async def get(self, collection: str, key: tuple[Any, ...]) -> Any:
            raise StoreError("the store is down")

    with pytest.raises(ToolError, match="the store is down") as failure:
        await read(rig(slack, Down(FakeClock())), slack)
    assert failure.value.code == "E981"
    assert slack.asked == []


def test_one_broker_serves_one_event_loop_after_another(jira: Jira) -> None:
    """As a warm function does; each time several calls want a token at once."""
    broker = rig(jira)

    async def several() -> None:
        await asyncio.gather(*(read(broker, jira) for _ in range(3)))

    for _ in range(2):
        broker.clock.advance(4000)
        asyncio.run(several())
    assert jira.tokens_made == 2


async def test_a_redirect_is_not_followed(jira: Jira) -> None:
    """The credential goes to the host of the connection and no other."""
    jira.failures.append((302, None, {"Location": f"{jira.base}/rest/api/3/elsewhere"}))
    assert (await read(rig(jira), jira)).status == 302
    assert len(jira.asked) == 2


async def test_addresses_of_private_networks_need_a_word_in_the_settings(github: GitHub) -> None:
    """By default https and public addresses only."""
    with pytest.raises(ConfigError, match="is no https address"):
        await read(rig(github, private=False), github)
    closed = Rig({"github": connection(github, private=False, url="https://127.0.0.1:1")})
    with pytest.raises(ToolError, match="private network"):
        await read(closed, github)
    assert github.asked == []


@pytest.mark.parametrize(
    ("settings", "missing"),
    [
        (Connection(), "url"),
        (Connection(url="https://x.example", auth="app", client_id="a"), "installation"),
        (Connection(url="https://x.example", auth="client_credentials"), "client_id"),
        (Connection(url="https://x.example", auth="client_credentials", client_id="a"), "token_url"),
        (Connection(url="https://user:pw@x.example"), "url"),
    ],
)
async def test_settings_that_cannot_work_name_what_is_wrong(settings: Connection, missing: str) -> None:
    """Before anything is sent."""
    with pytest.raises(ConfigError, match=f"`{missing}` of `connections.sap`") as error:
        await Rig({"sap": settings}).of().request("sap", "GET", "/x")
    assert error.value.code == "E980"


@pytest.mark.parametrize(
    "key", ["", "no key", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----"]
)
async def test_a_private_key_that_is_none_is_said_without_being_told(github: GitHub, key: str) -> None:
    """The message holds nothing of it."""
    broker = Rig({"github": connection(github)}, github_private_key=key)
    with pytest.raises(ConfigError, match="no RSA key") as error:
        await read(broker, github)
    assert not key or key not in str(error.value)


@pytest.mark.parametrize(
    "answer",
    [b"{}", b'{"access_token": 7}', b"[]", b"<html>", b'{"access_token": "a\\r\\nX: 1", "expires_in": 9}'],
)
async def test_an_address_for_tokens_that_gives_none_is_a_failure(answer: bytes, jira: Jira) -> None:
    """Whatever it answers instead, nothing is sent to the platform."""
    jira.make_token = lambda asked: (200, answer.decode())  # type: ignore[method-assign]
    with pytest.raises(ToolError, match="gives no token") as failure:
        await read(rig(jira), jira)
    assert failure.value.code == "E982"
    assert all(jira.is_token_path(a.path) for a in jira.asked)


async def test_a_wrong_client_secret_is_not_repeated_by_the_failure(jira: Jira) -> None:
    """The platform's own text holds it; ours does not."""
    broker = Rig({"jira": connection(jira)}, jira_client_secret="wrong-secret-of-acme")
    with pytest.raises(ToolError, match="gives no token") as failure:
        await read(broker, jira)
    assert "wrong-secret" not in str(failure.value)


async def test_a_static_token_is_sent_as_it_is_made(jira: Jira) -> None:
    """As a bearer token, or as the password of a user."""
    jira.tokens |= {"static-token-1", base64.b64encode(b"ann@acme.example:static-token-1").decode()}
    for user in ("", "ann@acme.example"):
        broker = Rig({"jira": connection(jira, auth="token", user=user)}, jira_token="static-token-1")
        assert (await read(broker, jira)).status == 200


async def planted(app: App, there: Standin) -> str:
    """Everything that a run leaves behind: journal, records, result."""
    result = await app.run(task("caller"))
    journal = [entry.body for entry in await app.store.read(result.run_id)]
    page = await app.runs.events(result.run_id, "local")
    return repr((result, journal, page))


async def test_no_credential_reaches_a_journal_a_log_or_an_answer(github: GitHub) -> None:
    """The platform sends back every credential that it was given, in an answer and in a failure: all of it is redacted."""

    def echoing(asked: Any) -> Any:
        told = f"you are {asked.headers['authorization']}"
        return (
            (200, {"number": 1, "title": told, "body": told})
            if "comments" not in asked.path
            else (422, {"message": told})
        )

    github.respond = echoing  # type: ignore[method-assign]
    given = {"repo": REPO, "number": 1}
    out = io.StringIO()
    async with opened(github, "github_read_issue", given) as app:
        log = logging.Logger("late")
        log.addHandler(logs.handler(as_json=True, known=app.known_secrets, stream=out))
        left = await planted(app, github)
        log.error("tokens: %s", github.tokens)
    assert github.tokens
    asked = [a.headers["authorization"].partition(" ")[2] for a in github.asked]
    for secret in {*github.tokens, *asked, SECRETS["github_private_key"]}:
        assert secret not in left
        assert secret not in out.getvalue()
    assert "REDACTED" in left


async def test_a_token_that_an_agent_repeats_is_redacted(slack: Slack) -> None:
    """Access and refresh tokens are known from the moment they are made."""

    @agent(name="caller", tools=list(SLACK))
    async def act(input: Any, memory: Any, context: Any) -> Any:
        await context.call("slack_channels")
        return f"{sorted(slack.tokens)} {sorted(slack.refresh_tokens)}"

    async with app_for_tests(act, connections={"slack": connection(slack)}, secrets=SECRETS) as app:
        left = await planted(app, slack)
    assert slack.tokens
    assert all(secret not in left for secret in (*slack.tokens, *slack.refresh_tokens))


def test_minted_secrets_are_known_and_bounded() -> None:
    """The same object while nothing is new; the latest few of each name."""
    secrets = MintedSecrets(MappingSecrets({"a": "first-secret"}))
    before = secrets.known()
    assert secrets.known() is before
    for n in range(KEPT + 2):
        secrets.mint("local/jira", f"token-{n}")
    assert secrets.known() == ("first-secret", *(f"token-{n}" for n in range(2, KEPT + 2)))
    now = secrets.known()
    secrets.mint("local/jira", "token-5")
    assert secrets.known() is now
    assert secrets.get("a") == "first-secret"


async def test_a_platform_without_tools_here_is_asked_by_a_tool_of_ones_own(jira: Jira) -> None:
    """The broker knows any platform that speaks OAuth 2.0, by its name in the settings."""

    @tool(trust="untrusted")
    async def sap_order(context: ToolContext, number: str) -> Any:
        """An order."""
        assert context.facilities is not None
        return (
            await context.facilities.connections.request("sap", "GET", f"/rest/api/3/issue/{number}")
        ).status

    @agent(name="caller", tools=[sap_order])
    async def act(input: Any, memory: Any, context: Any) -> Any:
        return await context.call("sap_order", number="4711")

    secrets = {"sap_client_secret": jira.client_secret}
    async with app_for_tests(act, connections={"sap": connection(jira)}, secrets=secrets) as app:
        assert (await app.run(task("caller"))).result_payload == 404


async def test_calls_without_secrets_fail_in_plain_words(github: GitHub) -> None:
    """The secret is named."""
    async with app_for_tests(
        caller("github_read_issue", {"repo": REPO, "number": 1}), connections={"github": connection(github)}
    ) as app:
        told = (await app.run(task("caller"))).result_payload
    assert told.startswith("E250: secret `github_private_key` is not set")
    assert await called(github, "github_read_issue", repo=REPO, number=1)
