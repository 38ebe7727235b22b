"""The console's door: what a browser sent to the console's address, as the function of the API takes it."""

from __future__ import annotations

import json
import time
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from remit.core.task import Task
from remit.functions import api
from remit.functions.container import shared
from remit.functions.front import STAGE

Event = dict[str, Any]
URL = "https://d111.cloudfront.net"


@pytest.fixture(autouse=True)
def address(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The function knows the address that people open."""
    monkeypatch.setenv("REMIT_URL", URL)
    shared.cache_clear()


def key(*roles: str) -> str:
    """A new API key."""
    return shared().run(lambda app: app.keys.create("acme", "ana", roles or ("operator",))).secret


def through(aws: ModuleType, method: str, path: str, *, stage: str = STAGE, **more: Any) -> Event:
    """The answer to a request by the door, with what CloudFront adds."""
    added = {"x-api-key": "the key of the door", "x-remit-viewer": "198.51.100.7", "origin": URL}
    headers = {**added, **more.pop("headers", {})}
    answer: Event = api.handler(
        aws.rest(method, path, stage=stage, headers=headers, **more), aws.Context(more.pop("seconds", 29.0))
    )
    return answer


def signed_in(aws: ModuleType) -> tuple[str, str]:
    """The cookie and the token of somebody who signed in."""
    answer = through(aws, "POST", "/api/v1/session", body=json.dumps({"key": key()}))
    assert answer["statusCode"] == 201, answer
    (cookie,) = answer["multiValueHeaders"]["set-cookie"]
    return str(cookie), str(json.loads(answer["body"])["csrf"])


def test_a_session_is_a_cookie_of_the_consoles_address(aws: ModuleType) -> None:
    """Signing in sets it for this host alone, by TLS, out of reach of scripts; with it the API answers, though the door's key is shown."""
    cookie, csrf = signed_in(aws)
    assert cookie.startswith("__Host-remit_session=")
    assert {"Secure", "HttpOnly", "SameSite=strict", "Path=/"} <= set(cookie.split("; "))
    session = {"cookie": cookie.partition(";")[0]}
    assert through(aws, "GET", "/api/v1/runs", headers=session)["statusCode"] == 200
    task = json.dumps({"task_id": "t", "agent": "echo", "objective": "say it"})
    refused = through(aws, "POST", "/api/v1/runs", headers=session, body=task)
    assert (refused["statusCode"], json.loads(refused["body"])["code"]) == (403, "E1052")
    made = through(aws, "POST", "/api/v1/runs", headers={**session, "x-remit-csrf": csrf}, body=task)
    assert made["statusCode"] in (200, 202)


def test_another_site_uses_no_session(aws: ModuleType) -> None:
    """What a page elsewhere has the browser send is refused, at the sign-in too."""
    cookie, csrf = signed_in(aws)
    evil = {"cookie": cookie.partition(";")[0], "x-remit-csrf": csrf, "origin": "https://evil.example"}
    assert json.loads(through(aws, "GET", "/api/v1/runs", headers=evil)["body"])["code"] == "E1051"
    tried = through(aws, "POST", "/api/v1/session", body=json.dumps({"key": key()}), headers=evil)
    assert tried["statusCode"] == 403


def test_the_doors_key_is_no_credential(aws: ModuleType) -> None:
    """It opens nothing of Remit, and neither does a key of Remit in its place, which the CDN would have written over."""
    for shown in ("the key of the door", key()):
        answer = through(aws, "GET", "/api/v1/runs", headers={"x-api-key": shown})
        assert (answer["statusCode"], json.loads(answer["body"])["code"]) == (401, "E310")
    bearer = {"authorization": f"Bearer {key()}"}
    assert through(aws, "GET", "/api/v1/runs", headers=bearer)["statusCode"] == 200


def test_failed_sign_ins_are_counted_by_who_asked(aws: ModuleType) -> None:
    """By the address that the CDN says; one that guesses keeps nobody else out. Elsewhere nobody can say who they are."""
    wrong = json.dumps({"key": "remit_guessed"})
    answers = [through(aws, "POST", "/api/v1/session", body=wrong)["statusCode"] for _ in range(11)]
    assert answers == [401] * 10 + [429]
    other = {"x-remit-viewer": "198.51.100.8"}
    assert through(aws, "POST", "/api/v1/session", body=wrong, headers=other)["statusCode"] == 401
    elsewhere = [
        through(aws, "POST", "/api/v1/session", body=wrong, stage="prod", headers={"x-remit-viewer": f"{n}"})
        for n in range(11)
    ]
    assert [answer["statusCode"] for answer in elsewhere] == [401] * 10 + [429]


def test_a_stream_is_short_and_says_when_to_ask_again(aws: ModuleType) -> None:
    """What there is comes at once and no function is held; the next one goes on after what was told."""
    shared().run(lambda app: app.runs.submit(Task("t", "echo", tenant_id="acme")))
    bearer = {"authorization": f"Bearer {key()}", "accept": "text/event-stream"}
    began = time.monotonic()
    first = through(aws, "GET", "/api/v1/live", headers=bearer)
    assert time.monotonic() - began < api.STREAM_S
    assert first["body"].startswith("retry: 2000\n\n")
    mark = first["body"].rpartition("id: ")[2].strip()
    run_id = shared().run(lambda app: app.runs.submit(Task("t2", "echo", tenant_id="acme")))
    second = through(aws, "GET", "/api/v1/live", headers={**bearer, "last-event-id": mark})
    assert run_id in second["body"]
