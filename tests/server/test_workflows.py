"""Workflows over HTTP: looked at, drawn, checked, run, forked, and answered from outside."""

from __future__ import annotations

import concurrent.futures
import json
import socket
import time
import xml.etree.ElementTree as ET
from typing import Any

import pytest

BASE = "/api/v1/workflows"

GREET = {
    "Comment": "Says it, measures it, and may fail",
    "QueryLanguage": "JSONata",
    "StartAt": "Say",
    "States": {
        "Say": {
            "Type": "Task",
            "Resource": "remit:agent:echo",
            "Output": "{% $states.input %}",
            "Next": "Right?",
        },
        "Right?": {
            "Type": "Choice",
            "Choices": [{"Condition": "{% $states.input.n > 0 %}", "Next": "Done"}],
            "Default": "Wrong",
        },
        "Wrong": {"Type": "Fail", "Error": "NotPositive", "Cause": "n is too small"},
        "Done": {"Type": "Succeed", "Output": {"n": "{% $states.input.n %}"}},
    },
}


def asks(activity: str, **more: Any) -> dict[str, Any]:
    """A document of one Task that workers of an activity do."""
    state = {"Type": "Task", "Resource": f"remit:activity:{activity}", "End": True, **more}
    return {"QueryLanguage": "JSONata", "StartAt": "Ask", "States": {"Ask": state}}


@pytest.fixture
def adam(shared: Any) -> Any:
    """acme's administrator, who may edit and run."""
    with shared.client("adam") as client:
        yield client


def put(client: Any, name: str, document: dict[str, Any]) -> None:
    """Register a workflow."""
    made = client.put(f"/api/v1/definitions/workflow/{name}", json={"spec": document, "reason": "new"})
    assert made.status_code in (200, 201), made.text


def run(client: Any, task_id: str, document: dict[str, Any], input: Any = None) -> str:
    """Run a document that is not registered; its run's id."""
    body = {"task_id": task_id, "document": document, "input": input}
    answer = client.post(f"{BASE}/runs", json=body)
    assert answer.status_code == 202, answer.text
    assert answer.headers["location"] == f"/api/v1/runs/{answer.json()['run_id']}"
    run_id: str = answer.json()["run_id"]
    return run_id


def ended(client: Any, until: Any, run_id: str) -> Any:
    """The run's view, once it has ended."""
    return until(lambda: (v := client.get(f"/api/v1/runs/{run_id}").json())["ended_ts"] and v)


def take(client: Any, activity: str, wait_s: float = 10) -> Any:
    """A task of an activity."""
    answer = client.post(f"/api/v1/activities/{activity}/take", json={"wait_s": wait_s}, timeout=30)
    assert answer.status_code in (200, 204), answer.text
    return answer.json() if answer.status_code == 200 else None


def test_a_registered_workflow_is_listed_shown_and_run_as_an_agent(adam: Any, until: Any) -> None:
    """Its document, version, spec and what its resources lead to; `POST /runs` with its name runs it."""
    put(adam, "greet", GREET)
    listed = adam.get(BASE).json()["items"]
    (found,) = [w for w in listed if w["name"] == "greet"]
    assert (found["version"], found["source"], found["states"]) == ("1", "registry", 4)
    shown = adam.get(f"{BASE}/greet").json()
    assert shown["document"] == GREET
    assert shown["spec"]["delegates"] == ["echo"]
    (binding,) = shown["bindings"]
    assert (binding["pointer"], binding["resource"]) == ("/States/Say", "remit:agent:echo")
    assert (binding["kind"], binding["name"], binding["found"]) == ("agent", "echo", True)
    body = {"task_id": "w1", "agent": "greet", "input": {"n": 3}}
    run_id = adam.post("/api/v1/runs", json=body).json()["run_id"]
    view = ended(adam, until, run_id)
    assert view["result"]["result_payload"] == {"n": 3}
    assert [(s["state"], s["status"]) for s in view["states"]] == [
        ("Say", "succeeded"),
        ("Right?", "succeeded"),
        ("Done", "succeeded"),
    ]


def test_an_older_version_is_shown(adam: Any) -> None:
    """By its number, or by an alias."""
    put(adam, "versions", GREET)
    put(adam, "versions", {**GREET, "Comment": "second"})
    assert adam.get(f"{BASE}/versions").json()["description"] == "second"
    old = adam.get(f"{BASE}/versions", params={"version": 1}).json()
    assert (old["version"], old["document"]["Comment"]) == ("1", GREET["Comment"])
    assert adam.get(f"{BASE}/versions", params={"version": 9}).status_code == 404
    assert adam.get(f"{BASE}/versions", params={"alias": "nope"}).status_code == 404


def test_workflows_are_paged_by_name(adam: Any) -> None:
    """Following the cursor gives every workflow once."""
    for n in range(3):
        put(adam, f"paged-{n}", GREET)
    seen, cursor = [], None
    while True:
        page = adam.get(BASE, params={"limit": 2, **({"cursor": cursor} if cursor else {})}).json()
        assert len(page["items"]) <= 2
        seen += [w["name"] for w in page["items"]]
        if not (cursor := page["cursor"]):
            break
    assert seen == sorted(set(seen))
    assert {"paged-0", "paged-1", "paged-2"} <= set(seen)


def test_an_agent_is_no_workflow(adam: Any) -> None:
    """404, with a code of its own."""
    answer = adam.get(f"{BASE}/echo")
    assert (answer.status_code, answer.json()["code"]) == (404, "E649")


def test_pictures_show_and_do_nothing(adam: Any, until: Any) -> None:
    """SVG under headers that let it run and load nothing; of a run they show how far it came."""
    put(adam, "drawn", GREET)
    answer = adam.get(f"{BASE}/drawn/picture.svg")
    assert answer.headers["content-type"] == "image/svg+xml"
    assert answer.headers["content-security-policy"].startswith("default-src 'none'")
    assert answer.headers["content-security-policy"].endswith("sandbox")
    assert answer.headers["x-content-type-options"] == "nosniff"
    plain = ET.fromstring(answer.content)
    assert plain.tag.endswith("svg")
    assert not [
        e for e in plain.iter() if e.tag.rpartition("}")[2] in ("script", "a", "image", "foreignObject")
    ]
    chart = adam.get(f"{BASE}/drawn/picture.mmd")
    assert chart.headers["content-type"].startswith("text/vnd.mermaid")
    assert chart.text.startswith("flowchart")
    run_id = adam.post("/api/v1/runs", json={"task_id": "d1", "agent": "drawn", "input": {"n": 0}}).json()[
        "run_id"
    ]
    ended(adam, until, run_id)
    for kind in ("svg", "mmd"):
        coloured = adam.get(f"{BASE}/drawn/picture.{kind}", params={"run": run_id})
        assert "NotPositive" in coloured.text
        assert coloured.text != adam.get(f"{BASE}/drawn/picture.{kind}").text
    other = adam.get(f"{BASE}/greet/picture.svg", params={"run": run_id})
    assert (other.status_code, other.json()["code"]) == (404, "E649")


def test_a_document_is_checked_before_anything_runs(shared: Any) -> None:
    """All problems at once, by pointer; with the text of a file also by line and column. Reading is enough for it."""
    wrong = {"StartAt": "Gone", "States": {"A": {"Type": "Task", "Resource": "remit:tool:nope", "End": True}}}
    with shared.client("vera") as vera:
        found = vera.post(f"{BASE}/validate", json={"document": wrong}).json()
        assert not found["ok"]
        assert {p["pointer"] for p in found["problems"]} >= {"/StartAt", "/States/A/Resource"}
        text = "StartAt: A\nStates:\n  A:\n    Type: Succed\n"
        problem = vera.post(f"{BASE}/validate", json={"text": text}).json()["problems"][-1]
        assert (problem["pointer"], problem["line"], problem["column"]) == ("/States/A/Type", 4, 5)
        assert vera.post(f"{BASE}/validate", json={"document": GREET}).json() == {
            "ok": True,
            "problems": [],
            "warnings": [],
        }
        assert vera.post(f"{BASE}/validate", json={"document": wrong, "names": False}).json()["problems"]
        for body in ({}, {"document": GREET, "text": "x"}):
            assert vera.post(f"{BASE}/validate", json=body).status_code == 422
        broken = vera.post(f"{BASE}/validate", json={"text": "{"})
        assert (broken.status_code, broken.json()["code"]) == (422, "E630")


def test_a_document_runs_without_being_registered(adam: Any, until: Any) -> None:
    """Its run carries it, under the name `workflow:inline`; the same task again is the same run, another document is not."""
    run_id = run(adam, "inline-1", GREET, {"n": 1})
    view = ended(adam, until, run_id)
    assert (view["agent"], view["result"]["result_payload"]) == ("workflow:inline", {"n": 1})
    assert run(adam, "inline-1", GREET, {"n": 1}) == run_id
    other = {"task_id": "inline-1", "document": {**GREET, "Comment": "other"}, "input": {"n": 1}}
    answer = adam.post(f"{BASE}/runs", json=other)
    assert (answer.status_code, answer.json()["code"]) == (409, "E404")
    picture = adam.get(f"{BASE}/workflow:inline/picture.svg", params={"run": run_id})
    assert picture.status_code == 200
    carried = adam.get(f"{BASE}/workflow:inline", params={"run": run_id}).json()
    assert (carried["source"], carried["document"]) == ("run", GREET)
    assert adam.get(f"{BASE}/workflow:inline").status_code == 404


def test_a_document_that_could_not_run_starts_nothing(adam: Any) -> None:
    """422 with every problem, also for an agent that is not there."""
    document = asks("x")
    document["States"]["Ask"] = {"Type": "Task", "Resource": "remit:agent:nobody", "End": True}
    answer = adam.post(f"{BASE}/runs", json={"task_id": "bad-1", "document": document})
    assert (answer.status_code, answer.json()["code"]) == (422, "E632")
    assert "there is no agent `nobody`" in answer.json()["detail"]
    assert adam.get("/api/v1/agents/status/bad-1").status_code == 404


@pytest.mark.parametrize("key", ["ana", "bob", "vera"])
def test_running_a_document_takes_both_scopes(shared: Any, key: str) -> None:
    """Whoever may run what others wrote may not therefore write it."""
    with shared.client(key) as client:
        answer = client.post(f"{BASE}/runs", json={"task_id": "no", "document": GREET})
        assert (answer.status_code, answer.json()["code"]) == (403, "E320")


def test_a_failed_run_is_forked_and_retried(adam: Any, until: Any) -> None:
    """A fork enters a state again with another input and repeats nothing of what came before; a retry does what failed."""
    failed = run(adam, "fork-1", GREET, {"n": 0})
    view = ended(adam, until, failed)
    assert (view["status"], view["result"]["result_payload"]["Error"]) == ("failure", "NotPositive")
    at = f"/api/v1/runs/{failed}"
    made = adam.post(f"{at}/fork", json={"from_state": "Right?", "input": {"n": 7}, "fork_id": "again"})
    assert made.status_code == 202, made.text
    assert made.headers["location"] == f"/api/v1/runs/{made.json()['run_id']}"
    forked = ended(adam, until, made.json()["run_id"])
    assert forked["result"]["result_payload"] == {"n": 7}
    assert forked["forked_from"] == f"{failed}#s1"
    assert forked["children"] == view["children"]
    again = adam.post(f"{at}/fork", json={"from_state": "Right?", "input": {"n": 7}, "fork_id": "again"})
    assert again.json()["run_id"] == forked["run_id"]
    retried = adam.post(f"{at}/retry")
    assert retried.status_code == 202, retried.text
    assert ended(adam, until, retried.json()["run_id"])["status"] == "failure"
    assert adam.post(f"{at}/fork", json={"from_state": "Nowhere"}).json()["code"] == "E645"
    not_failed = adam.post(f"/api/v1/runs/{forked['run_id']}/retry")
    assert (not_failed.status_code, not_failed.json()["code"]) == (409, "E646")


def test_a_state_entered_twice_is_named_by_its_visit(adam: Any, until: Any) -> None:
    """422, and which visits there are."""
    each = {"StartAt": "Add", "States": {"Add": {"Type": "Pass", "End": True}}}
    document = {
        "QueryLanguage": "JSONata",
        "StartAt": "All",
        "States": {"All": {"Type": "Map", "Items": [1, 2], "ItemProcessor": each, "End": True}},
    }
    run_id = run(adam, "twice-1", document)
    ended(adam, until, run_id)
    answer = adam.post(f"/api/v1/runs/{run_id}/fork", json={"from_state": "Add"})
    assert (answer.status_code, answer.json()["code"]) == (422, "E648")
    assert "`s1`, `s2`" in answer.json()["help"]


def test_a_worker_takes_a_task_keeps_it_alive_and_answers(adam: Any, until: Any) -> None:
    """The task is for one worker alone; what it answers is the state's result; a second answer finds nobody."""
    run_id = run(adam, "act-1", asks("measure"), {"what": "table"})
    task = take(adam, "measure")
    assert (task["input"], task["run_id"], task["state"]) == ({"what": "table"}, run_id, "Ask")
    assert take(adam, "measure", 0) is None
    token = task["token"]
    assert adam.post("/api/v1/callbacks/heartbeat", json={"token": token}).status_code == 204
    assert adam.post("/api/v1/callbacks/succeed", json={"token": token, "output": 12}).status_code == 204
    assert ended(adam, until, run_id)["result"]["result_payload"] == 12
    for verb in ("succeed", "fail", "heartbeat"):
        answer = adam.post(f"/api/v1/callbacks/{verb}", json={"token": token})
        assert (answer.status_code, answer.json()["code"]) == (404, "E642")


def test_a_worker_waits_until_there_is_a_task(adam: Any, shared: Any) -> None:
    """A long poll is answered by the task that comes meanwhile, not at its end."""
    with concurrent.futures.ThreadPoolExecutor(1) as pool, shared.client("ana") as ana:
        began = time.monotonic()
        waiting = pool.submit(take, ana, "later", 30)
        run(adam, "act-2", asks("later"), {"n": 1})
        assert waiting.result(20)["input"] == {"n": 1}
        assert time.monotonic() - began < 20


def test_a_failed_task_is_caught_by_its_name(adam: Any, until: Any) -> None:
    """Error and cause are the state's; no name at all is States.TaskFailed."""
    for task_id, error, name in (("act-3", "Broken", "Broken"), ("act-4", "", "States.TaskFailed")):
        run_id = run(adam, task_id, asks(task_id))
        body = {"token": take(adam, task_id)["token"], "error": error, "cause": "it fell"}
        assert adam.post("/api/v1/callbacks/fail", json=body).status_code == 204
        failed = ended(adam, until, run_id)["result"]["result_payload"]
        assert failed == {"Error": name, "Cause": "it fell"}


def test_a_tenant_never_takes_or_answers_anothers_task(adam: Any, shared: Any) -> None:
    """Neither the task nor its token is anything to another tenant, and the task still waits."""
    run_id = run(adam, "act-5", asks("ours"))
    task = take(adam, "ours")
    with shared.client("zoe") as zoe:
        run(adam, "act-6", asks("ours"))
        assert take(zoe, "ours", 0) is None
        for verb in ("succeed", "fail", "heartbeat"):
            answer = zoe.post(f"/api/v1/callbacks/{verb}", json={"token": task["token"]})
            assert (answer.status_code, answer.json()["code"]) == (404, "E642")
        fork = zoe.post(f"/api/v1/runs/{run_id}/fork", json={"from_state": "s0"})
        assert (fork.status_code, fork.json()["code"]) == (404, "E104")
    assert adam.post("/api/v1/callbacks/heartbeat", json={"token": task["token"]}).status_code == 204


def poll(site: Any, activity: str) -> socket.socket:
    """A connection on which a worker waits for a task: the server has the request."""
    body = b'{"wait_s": 60}'
    head = (
        f"POST /api/v1/activities/{activity}/take HTTP/1.1\r\nHost: 127.0.0.1:{site.port}\r\nX-API-Key: {site.keys['adam']}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\nExpect: 100-continue\r\n\r\n"
    )
    connection = socket.create_connection(("127.0.0.1", site.port), timeout=20)
    connection.sendall(head.encode())
    assert connection.recv(1000).startswith(b"HTTP/1.1 100")  # the route reads the body now
    connection.sendall(body)
    return connection


def test_a_worker_that_hung_up_is_given_nothing(adam: Any, shared: Any) -> None:
    """The task that comes then is another worker's."""
    poll(shared, "hung-up").close()
    run(adam, "act-7", asks("hung-up"), {"n": 5})
    assert take(adam, "hung-up")["input"] == {"n": 5}


def test_waiting_workers_do_not_hold_up_the_end_of_the_server(site: Any) -> None:
    """A long poll is answered when the server stops, with nothing."""
    with poll(site, "never") as connection:
        began = time.monotonic()
        site.stop()
        assert time.monotonic() - began < 15
        assert connection.recv(1000).startswith(b"HTTP/1.1 204")


def test_a_workflow_is_told_as_a_graph(adam: Any, until: Any) -> None:
    """Its states and ways; of a version as it was; of a run with how far each state has come."""
    put(adam, "graphed", GREET)
    put(adam, "graphed", {"StartAt": "Only", "States": {"Only": {"Type": "Succeed"}}})
    now = adam.get(f"{BASE}/graphed/graph").json()
    assert [n["pointer"] for n in now["graph"]["root"]["nodes"]] == ["/States/Only"]
    assert now["statuses"] == {}
    first = adam.get(f"{BASE}/graphed/graph", params={"version": 1}).json()["graph"]["root"]
    assert first["start"] == "Say"
    assert {n["name"] for n in first["nodes"]} == set(GREET["States"])
    assert {"source": "Right?", "target": "Wrong", "label": "otherwise", "kind": "default"} in first["edges"]
    run_id = run(adam, "graphed-1", GREET, {"n": 1})
    ended(adam, until, run_id)
    told = adam.get(f"{BASE}/workflow:inline/graph", params={"run": run_id}).json()
    assert {p: s["phase"] for p, s in told["statuses"].items()} == {
        "/States/Say": "succeeded",
        "/States/Right?": "succeeded",
        "/States/Done": "succeeded",
    }
    assert adam.get(f"{BASE}/echo/graph").status_code == 404


def test_what_a_run_starts_with_is_read_off_the_document(adam: Any) -> None:
    """For a form; `Say` hands its input on, so `n` of `Right?` is the run's."""
    put(adam, "formed", GREET)
    made = adam.get(f"{BASE}/formed/input").json()["schema"]
    assert made["properties"]["n"] == {"type": "number", "description": "read by Right?, Done"}


def test_a_text_that_may_become_a_workflow_is_looked_at(shared: Any) -> None:
    """A document, a file for `remit apply`, or what wraps a state machine on AWS; what is wrong has its place."""
    with shared.client("vera") as vera:

        def look(text: str, **more: Any) -> Any:
            answer = vera.post(f"{BASE}/import", json={"text": text, **more})
            assert answer.status_code == 200, answer.text
            return answer.json()

        good = look(json.dumps(GREET))
        assert (good["ok"], good["document"], good["problems"]) == (True, GREET, [])
        assert good["graph"]["root"]["start"] == "Say"
        assert good["bindings"][0]["name"] == "echo"
        assert good["input_schema"]["properties"]["n"]["type"] == "number"
        broken = look("StartAt: A\nStates:\n  A: [")
        assert (broken["ok"], broken["document"]) == (False, None)
        assert [(p["line"], p["message"][:8]) for p in broken["problems"]] == [(3, "not YAML")]
        wrong = look("StartAt: A\nStates:\n  A:\n    Type: Succed\n")
        assert (wrong["problems"][-1]["line"], wrong["problems"][-1]["column"]) == (4, 5)
        assert wrong["graph"] is None
        file = "kind: workflow\nname: greet\nspec:\n  StartAt: A\n  States:\n    A: {Type: Succeed, Nxt: B}\n"
        applied = look(file)
        assert (applied["name"], applied["problems"][0]["line"]) == ("greet", 6)
        machine = {"name": "from-aws", "definition": json.dumps({**GREET, "StartAt": "${FIRST}"})}
        unfilled = look(json.dumps(machine))
        assert "${FIRST}" in unfilled["problems"][0]["message"]
        assert look(json.dumps(machine), substitutions={"FIRST": "Say"})["ok"]
        template = "Resources:\n  M:\n    Type: AWS::StepFunctions::StateMachine\n    Properties:\n      DefinitionString: !Sub '{}'\n"
        assert not look(template)["ok"]
        half = template.replace("\n      DefinitionString: !Sub '{}'", " 3")
        assert look(half)["problems"][0]["message"] == "this is no whole template"
        assert look("")["problems"][0]["message"] == "there is no text"
        assert look("[1]")["problems"][0]["line"] == 1
        (odd,) = look("StartAt: A\nx: \x7f")["problems"]
        assert (odd["line"], odd["column"], odd["message"][:8]) == (2, 4, "not YAML")
