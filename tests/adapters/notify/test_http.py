"""Slack and webhooks: what is posted, and what is known when it is not taken."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from typing import Any

import pytest
from msgspec.structs import replace
from tests.adapters.notify.messages import notification
from tests.adapters.notify.servers import free_port, web_server

from remit.adapters.notify.http import Poster
from remit.adapters.notify.slack import SlackChannel, blocks_of
from remit.adapters.notify.webhook import WebhookChannel
from remit.core.errors import ToolError
from remit.testing import FakeClock

CHANNELS = ["slack", "webhook"]


def channel(kind: str, **options: Any) -> SlackChannel | WebhookChannel:
    poster = Poster(timeout_s=0.3, **options)
    return SlackChannel(poster) if kind == "slack" else WebhookChannel(poster, FakeClock())


async def test_slack_gets_blocks() -> None:
    """A header, a section for each rule and the run; the text is what a phone shows."""
    with web_server() as web:
        assert await channel("slack").send(notification(channel="slack"), web.url) == "HTTP 200"
    (request,) = web.requests
    assert request.headers["content-type"] == "application/json"
    posted = request.json
    assert posted["text"] == "[FAILED] orders: 1 rule failed, 1 rule recovered"
    kinds = [block["type"] for block in posted["blocks"]]
    assert kinds == ["header", "section", "section", "context"]
    text = posted["blocks"][1]["text"]["text"]
    assert "*orders-count* v3 (record_count_match) FAILED" in text
    assert "expected_count 1,000" in text


def test_nothing_in_a_message_is_markup_to_slack() -> None:
    """Names cannot mention anybody, link anywhere or change the type."""
    line = replace(notification().lines[0], config_id="<!channel> *b* <http://x.example|y> & `c`\n")
    posted = json.dumps(blocks_of(notification(lines=(line,))), ensure_ascii=False)
    assert "<!channel>" not in posted
    assert "<http" not in posted
    assert "&lt;!channel&gt;" in posted
    assert "*b*" not in posted.replace("\u200b", "|")


def test_slack_is_never_given_more_than_it_takes() -> None:
    """Fifty blocks and 3,000 characters a text are Slack's limits; the rest is counted."""
    line = replace(notification().lines[0], facts={f"a{i}_count": "x" * 200 for i in range(50)})
    posted = blocks_of(notification(lines=(line,) * 50, more=7, subject="s" * 500))
    assert len(posted["blocks"]) <= 50
    assert all(len(b["text"]["text"]) <= 3000 for b in posted["blocks"] if b["type"] == "section")
    assert len(posted["blocks"][0]["text"]["text"]) <= 150
    assert "17 more" in posted["blocks"][-1]["elements"][0]["text"]


async def test_a_webhook_gets_an_event() -> None:
    """A CloudEvent whose id is the notification's, and the same id for whoever drops repetitions."""
    with web_server() as web:
        await channel("webhook").send(notification(channel="webhook"), web.url)
    (request,) = web.requests
    assert request.headers["content-type"].startswith("application/cloudevents+json")
    assert request.headers["webhook-id"] == request.headers["idempotency-key"] == "ntf_0123456789"
    assert "webhook-signature" not in request.headers
    event = request.json
    assert (event["specversion"], event["id"], event["type"]) == (
        "1.0",
        "ntf_0123456789",
        "dev.remit.validation.failed",
    )
    assert event["subject"] == "orders"
    assert event["data"]["lines"][0]["facts"] == {"expected_count": 1000, "diff_pct": 4.2}
    assert "status" not in event["data"]


@pytest.mark.parametrize(
    "key", ["any text at all", "whsec_" + base64.b64encode(b"0123456789abcdef").decode()]
)
async def test_a_signature_can_be_checked(key: str) -> None:
    """With a key, the message is signed as Standard Webhooks has it: id, time and body."""
    with web_server() as web:
        await channel("webhook").send(notification(), web.url, signing_key=key)
    (request,) = web.requests
    raw = base64.b64decode(key[6:]) if key.startswith("whsec_") else key.encode()
    signed = (
        f"{request.headers['webhook-id']}.{request.headers['webhook-timestamp']}.".encode() + request.body
    )
    expected = base64.b64encode(hmac.new(raw, signed, hashlib.sha256).digest()).decode()
    assert request.headers["webhook-signature"] == f"v1,{expected}"


@pytest.mark.parametrize("kind", CHANNELS)
@pytest.mark.parametrize(
    ("status", "retryable"), [(429, True), (500, True), (503, True), (400, False), (404, False), (302, False)]
)
async def test_a_refusal_means_not_sent(kind: str, status: int, retryable: bool) -> None:
    """A refusal is an error that says whether to try again; a redirect is one too, and is not followed."""
    with web_server(status) as web, pytest.raises(ToolError) as refused:
        await channel(kind).send(notification(), web.url + "?token=geheim")
    assert (refused.value.code, refused.value.retryable) == ("E626", retryable)
    assert "geheim" not in str(refused.value)
    assert len(web.requests) == 1


@pytest.mark.parametrize("kind", CHANNELS)
@pytest.mark.parametrize("answer", ["hang", "cut", 502, 504])
async def test_a_connection_that_breaks_leaves_it_open(kind: str, answer: int | str) -> None:
    """When no answer comes, or a proxy gives up, nobody knows, and no error holds the URL."""
    with web_server(answer) as web, pytest.raises(ConnectionError) as broken:
        await channel(kind).send(notification(), web.url + "?token=geheim")
    assert "geheim" not in str(broken.value)
    assert broken.value.__cause__ is None
    assert len(web.requests) == 1


@pytest.mark.parametrize("kind", CHANNELS)
async def test_nobody_there_means_not_sent(kind: str) -> None:
    """A refused connection is tried again."""
    with pytest.raises(ToolError) as refused:
        await channel(kind).send(notification(), f"http://127.0.0.1:{free_port()}/hook")
    assert (refused.value.code, refused.value.retryable) == ("E627", True)


@pytest.mark.parametrize("url", ["", "ftp://x.example", "http://", "http://x.example:99999", "not a url"])
async def test_a_secret_that_is_no_url(url: str) -> None:
    """What a secret holds is checked when it is used, and not repeated."""
    with pytest.raises(ToolError) as refused:
        await channel("webhook").send(notification(), url)
    assert refused.value.code == "E626"


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "[::1]", "10.0.0.1", "169.254.169.254", "0.0.0.0"]
)
async def test_private_addresses_can_be_closed(host: str) -> None:
    """Where private networks are closed to notifiers, no name or number leads there."""
    with web_server() as web, pytest.raises(ToolError) as refused:
        await channel("webhook", private=False).send(notification(), f"http://{host}:{web.port}/hook")
    assert refused.value.code == "E628"
    assert web.requests == []
