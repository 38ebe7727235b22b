"""Template 1 on the emulator with IAM enforced, as a customer sees it: deployed by the command line and driven over HTTP."""

from __future__ import annotations

import functools
import json
import shutil
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import boto3
import pytest
from playwright.sync_api import Page, Response, expect, sync_playwright
from tests.console.conftest import ARGUMENTS
from tests.deploy import roles
from tests.deploy.customer import (
    METADATA,
    MODEL,
    Model,
    Remit,
    Shop,
    rules,
    until,
    write_project,
)
from tests.deploy.edge import Edge

from remit.server.console import HEADERS, TYPES
from remit_deploy.access import reachable
from remit_deploy.aws import Place
from remit_deploy.console import OWN_ORIGIN
from remit_deploy.deployment import RELEASE
from remit_deploy.emulator.running import Emulator, Options

pytestmark = [pytest.mark.service, pytest.mark.slow]

NAME = "shop-dev"
TARGET = ("--target", "emulator")
WAIT_MS = 60_000
"""What a page may take: functions start in the emulator one after the other."""


class World(NamedTuple):
    """Everything deployed. `keys` are Remit's, by who holds them; `aws` gives clients of the emulator's root.

    `told` is the URL of a queue that hears what the topic of alarms and notifications says. `due` is when orders are checked.
    """

    remit: Remit
    shop: Shop
    model: Model
    keys: dict[str, str]
    aws: Callable[[str], Any]
    told: str
    due: datetime


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A customer's project, deployed."""
    root = tmp_path_factory.mktemp("shop")
    write_project(root)
    model, remit = Model(rules), Remit(root)
    emulator = Emulator(root / ".remit" / "emulator")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    try:
        emulator.start(Options(port, models=model.url, wait_scale=0))
        remit("deploy", "apply", *TARGET, "--yes")
        yield opened(remit, model)
    finally:
        emulator.stop()
        model.close()


def opened(remit: Remit, model: Model) -> World:
    """The deployment as its outputs tell where it is, with a key for each person."""
    outputs = remit.data("deploy", "outputs", *TARGET)
    key = remit("deploy", "outputs", "ApiKey", *TARGET).strip()
    exports = remit("deploy", "outputs", "--shell", *TARGET).splitlines()
    pairs = (line.removeprefix("export ").partition("=") for line in exports)
    remit.variables = {name: value.strip("'") for name, _, value in pairs}
    people = {"ann": "operator", "bob": "approver", "root": "admin"}
    keys = {
        who: remit("keys", "create", "--actor", who, "--role", role).strip() for who, role in people.items()
    }
    endpoint = remit.variables["AWS_ENDPOINT_URL"]

    @functools.cache
    def aws(service: str) -> Any:
        return boto3.client(
            service,
            endpoint_url=endpoint,
            region_name="us-east-1",
            aws_access_key_id="test",
            aws_secret_access_key="test",
        )

    told = listening(aws, outputs["AlertsTopic"])
    due = (datetime.now(UTC) + timedelta(seconds=80)).replace(second=0, microsecond=0)
    metadata = METADATA.format(topic=outputs["AlertsTopic"], schedule=f"daily at {due:%H:%M}")
    (remit.root / "metadata.yaml").write_text(metadata)
    remit("apply", "-f", "metadata.yaml", "--why", "orders are to be in order")
    return World(remit, Shop(outputs["ApiUrl"], key), model, keys, aws, told, due)


def listening(aws: Callable[[str], Any], topic: str) -> str:
    """A queue of somebody who subscribes to the topic; its URL."""
    url = str(aws("sqs").create_queue(QueueName="listener")["QueueUrl"])
    arn = aws("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    may = {"Effect": "Allow", "Principal": "*", "Action": "sqs:SendMessage", "Resource": arn}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [may]})
    aws("sqs").set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy})
    aws("sns").subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
    return url


def ended(world: World, run_id: str) -> dict[str, Any]:
    """A run when it is over."""

    def look() -> Any:
        status, view = world.shop.call("GET", f"/runs/{run_id}", world.keys["root"])
        return view if status == 200 and view["status"] in ("success", "failure") else None

    found: dict[str, Any] = until(look)
    return found


def submitted(world: World, agent: str, **task: Any) -> str:
    """Submit a task as Ann; its run."""
    body = {"task_id": f"{agent}-1", "agent": agent, "objective": "do it", **task}
    status, answer = world.shop.call("POST", "/runs", world.keys["ann"], body)
    assert status in (200, 202), answer
    return str(answer["run_id"])


def asked(world: World, query: str, conversation_id: str = "") -> dict[str, Any]:
    """What the assistant answers; on a busy machine it is asked for until it does."""
    status, answer = world.shop.chat(query, conversation_id)
    if status == 202:
        path = f"/chat/{answer['task_id']}"
        answer = until(
            lambda: (
                (r := world.shop.raw(method="GET", url=path, params={"user_id": "ann"})).status_code == 200
                and r.json()
            )
        )
    assert "response" in answer, (status, answer)
    return dict(answer)


def test_a_chat_calls_its_tool_and_remembers(world: World) -> None:
    """A question goes through API Gateway to the agent and the model, whose tool call is made; the next one knows the first."""
    first = asked(world, "What is 6 times 7?")
    assert '"42"' in first["response"]
    second = asked(world, "What did I ask before?", first["conversation_id"])
    assert second["response"] == "You asked: What is 6 times 7?"


def test_nobody_comes_in_without_a_key(world: World) -> None:
    """Without API Gateway's key nothing is answered, and with it the API still asks for a key of Remit."""
    assert (
        world.shop.raw(method="POST", url="/chat", json={}, headers={"x-api-key": "guessed"}).status_code
        == 403
    )
    assert world.shop.raw(method="GET", url="/api/v1/runs").status_code == 401


def test_a_question_that_is_none_is_refused(world: World) -> None:
    """A body without a query is answered with 400 and JSON that says so."""
    answer = world.shop.raw(method="POST", url="/chat", json={"user_id": "ann"})
    assert answer.status_code == 400
    assert "query" in json.dumps(answer.json())


def test_three_agents_work_in_a_row_on_step_functions(world: World) -> None:
    """The workflow runs as a state machine, each agent in a function of its own, and is shown as one run with its children."""
    run_id = submitted(world, "research-report", input={"topic": "kettles"})
    view = ended(world, run_id)
    payload = view["result"]["result_payload"]
    assert (payload["research"], payload["analysis"]) == ("finding 1", "analysis of finding 1")
    machines = world.aws("stepfunctions").list_state_machines()["stateMachines"]
    (machine,) = [m["stateMachineArn"] for m in machines if m["name"] == f"{NAME}-research-report"]
    executions = world.aws("stepfunctions").list_executions(stateMachineArn=machine)["executions"]
    assert [e["status"] for e in executions] == ["SUCCEEDED"]


def test_an_approval_parks_a_run_and_a_person_lets_it_go_on(world: World) -> None:
    """A privileged tool waits; whoever may decide approves over HTTP, and the run goes on and calls it once."""
    run_id = submitted(world, "clerk")

    def waiting() -> Any:
        _, page = world.shop.call("GET", "/approvals", world.keys["bob"])
        return [a for a in page["items"] if a["run_id"] == run_id]

    (approval,) = until(waiting)
    path = f"/approvals/{approval['approval_id']}/decide"
    assert world.shop.call("POST", path, world.keys["ann"], {"kind": "approve"})[0] == 403
    assert (
        world.shop.call("POST", path, world.keys["bob"], {"kind": "approve", "rationale": "fine"})[0] == 200
    )
    view = ended(world, run_id)
    assert view["result"]["result_payload"] == "It is done: refunded 12.5 for order 7"
    lines = logged(world, run_id)
    assert list(dict.fromkeys(line["event"] for line in lines)) == ["created", "parked", "resumed", "ended"]
    assert {(line["agent"], line["tenant_id"]) for line in lines} == {("clerk", "local")}
    assert {line["trace_id"] for line in lines} == {view["result"]["trace_id"]}
    assert lines[1]["waiting_on"] == f"approval:{approval['approval_id']}"
    assert (lines[-1]["status"], lines[-1]["steps"] > 0, lines[-1]["seconds"] > 0) == ("success", True, True)
    assert "refunded" not in json.dumps(lines), "what a run is about is in no log"


def logged(world: World, run_id: str) -> list[dict[str, Any]]:
    """What `remit deploy logs --run` shows of a run, when its end is there too: the lines of several functions, by their time."""

    def look() -> Any:
        shown = world.remit("deploy", "logs", *TARGET, "--minutes", "30", "--run", run_id, "--json")
        lines = [json.loads(line)["data"] for line in shown.splitlines()]
        found = sorted((line for line in lines if "event" in line), key=lambda line: line["ts"])
        return found if found and found[-1]["event"] == "ended" else None

    found: list[dict[str, Any]] = until(look)
    return found


def test_an_event_wakes_an_agent(world: World) -> None:
    """An event published over HTTP starts the agent that subscribed to its type."""
    event = {
        "specversion": "1.0",
        "id": "o-1",
        "source": "shop",
        "type": "order.placed",
        "data": {"order": 7},
    }
    assert world.shop.call("POST", "/events", world.keys["root"], event)[0] == 202

    def woken() -> Any:
        _, page = world.shop.call("GET", "/runs?agent=watcher", world.keys["root"])
        return [run for run in page["items"] if run["status"] == "success"]

    assert until(woken)


@pytest.fixture(scope="module")
def edge(world: World, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Edge]:
    """CloudFront before the console, played as it was deployed."""
    made = Edge(
        world.aws,
        f"{NAME}-console",
        world.remit.variables["AWS_ENDPOINT_URL"],
        tmp_path_factory.mktemp("edge"),
    )
    yield made
    made.close()


def test_a_person_works_in_the_console(world: World, edge: Edge) -> None:
    """In a browser at the address of CloudFront: sign in with a key, watch a run that an approval stops, approve it, see it end.
    The feed goes on by asking again; the session is a cookie that no script reads."""
    url = f"https://{edge.domain}/"
    with browsing(edge.domain, edge.port) as (page, said):
        page.goto(url)
        page.get_by_label("API key").fill(world.keys["bob"])
        # Functions start for all that a page asks for at once.
        with page.expect_response(of_the_feed, timeout=2 * WAIT_MS):
            page.get_by_role("button", name="Sign in").click()
        page.goto(f"{url}#/runs")
        expect(page.get_by_role("heading", level=1)).to_be_visible(timeout=WAIT_MS)
        run_id = submitted(world, "clerk", task_id="console-1", objective="a refund seen from afar")
        expect(page.get_by_text("a refund seen from afar").first).to_be_visible(timeout=WAIT_MS)
        page.goto(f"{url}#/approvals")
        page.get_by_role("button", name="Approve", exact=True).first.click()
        page.get_by_role("dialog").get_by_role("button", name="Approve", exact=True).click()
        page.goto(f"{url}#/runs/{run_id}")
        expect(page.get_by_text("refunded 12.5 for order 7").first).to_be_visible(timeout=WAIT_MS)
        for _ in range(2):  # a first one may have been on its way
            page.wait_for_event("response", of_the_feed)
        assert not page.get_by_text("not live").is_visible()
        (cookie,) = page.context.cookies()
    told = [status for path, status in edge.asked if path.startswith("/api/v1/live")]
    assert len(told) > 2
    assert set(told) == {200}
    assert (cookie["name"], cookie["domain"]) == ("__Host-remit_session", edge.domain)
    assert (cookie["secure"], cookie["httpOnly"], cookie["sameSite"]) == (True, True, "Strict")
    assert (said, edge.broken) == ([], [])


def of_the_feed(answer: Response) -> bool:
    """Whether it is one of the answers by which a page keeps up to date."""
    return "/api/v1/live" in answer.url


def test_the_consoles_door_opens_to_cloudfront_alone(world: World, edge: Edge) -> None:
    """Its API refuses whoever has no key or a customer's, and behind it are neither a way in without a session nor other paths."""
    (door,) = [o for o in edge.config["Origins"]["Items"] if "execute-api" in o["DomainName"]]
    (given,) = door["CustomHeaders"]["Items"]
    place = Place("us-east-1", endpoint=world.remit.variables["AWS_ENDPOINT_URL"])
    stage = f"https://{door['DomainName']}{door['OriginPath']}/"
    direct = f"{reachable(place, stage)}/api/v1/session"
    own = {"x-api-key": given["HeaderValue"]}
    shown = ({"x-api-key": "guessed"}, {}, own)
    assert [world.shop.raw(method="GET", url=direct, headers=each).status_code for each in shown] == [
        403,
        403,
        401,
    ]
    assert world.shop.raw(method="GET", url="/health", headers=own).status_code == 403
    root = world.keys["root"]
    asked: dict[str, tuple[str, str, dict[str, str]]] = {
        "a key of Remit where CloudFront puts its own": ("GET", "/api/v1/runs", {"x-api-key": root}),
        "a key of Remit": ("GET", "/api/v1/runs", {"authorization": f"Bearer {root}"}),
        "another path of the API": ("GET", "/health", {}),
        "a file that is written": ("POST", "/index.html", {}),
        "a file that is not there": ("GET", "/assets/other.js", {}),
    }
    found = {name: edge.answer(*each, b"")[0] for name, each in asked.items()}
    assert list(found.values()) == [401, 200, 403, 403, 403], found
    start = dict(edge.answer("GET", "/", {}, b"")[1])
    assert headers_like_the_server().items() <= start.items()
    assert edge.answer("GET", "/config.js", {}, b"")[2] == OWN_ORIGIN


def headers_like_the_server() -> dict[str, str]:
    """What Remit's own server says of the console's start page."""
    return {**HEADERS, "cache-control": "no-cache", "content-type": TYPES[".html"]}


@contextmanager
def browsing(domain: str, port: int) -> Iterator[tuple[Page, list[str]]]:
    """A page of Chromium, for which the domain is at this port, and what it complained of."""
    said: list[str] = []
    rule = f"--host-resolver-rules=MAP {domain} 127.0.0.1:{port}"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=[*ARGUMENTS, rule]
        )
        page = browser.new_context(ignore_https_errors=True).new_page()
        page.set_default_timeout(WAIT_MS)
        page.on("pageerror", lambda error: said.append(f"error: {error}"))
        page.on("request", lambda asked: said.append(asked.url) if domain not in asked.url else None)
        page.on("console", lambda text: said.append(text.text) if "Content Security" in text.text else None)
        try:
            yield page, said
        finally:
            browser.close()


@pytest.mark.parametrize("every", [False, pytest.param(True, marks=pytest.mark.nightly)])
def test_no_agent_may_do_more_than_its_own_work(world: World, every: bool) -> None:
    """An agent's role may use its own queue and prefix, and is refused the others', their models, secrets and the registry."""
    functions = world.aws("lambda").get_paginator("list_functions").paginate()
    names = sorted(f["FunctionName"] for page in functions for f in page["Functions"])
    prefix = f"{NAME}-agent-"
    agents = [n.removeprefix(prefix) for n in names if n.startswith(prefix)]
    tried = agents if every else ["assistant"]
    client = functools.cache(functools.partial(as_agent, world))
    refused = roles.outcomes(client, world.remit.variables["AWS_ENDPOINT_URL"], NAME, tried)
    assert {a.words: [] if a.allowed else tried for a in roles.ATTEMPTS} == refused
    page = (Path(__file__).parents[2] / "docs" / "reference" / "least-privilege.md").read_text()
    assert not every or roles.table(refused, agents) in page, roles.table(refused, agents)


def test_an_agent_may_ask_its_own_model(world: World) -> None:
    """What its function does all day is allowed, so that the refusals above are no accident of the role as a whole."""
    messages = [{"role": "user", "content": [{"text": "hello"}]}]
    client = as_agent(world, "assistant", "bedrock-runtime")
    assert client.converse(modelId=MODEL, messages=messages)["stopReason"] == "end_turn"


def test_a_message_that_nobody_can_read_is_given_up_and_can_be_sent_again(world: World) -> None:
    """After five receives it lies among the dead letters, where an operator sees it and sends it once more."""
    sqs = world.aws("sqs")
    queue = sqs.get_queue_url(QueueName=f"{NAME}-run-clerk")["QueueUrl"]
    dead = sqs.get_queue_url(QueueName=f"{NAME}-run-clerk-dead")["QueueUrl"]
    sqs.set_queue_attributes(
        QueueUrl=queue, Attributes={"VisibilityTimeout": "1"}
    )  # or it takes half an hour
    sqs.send_message(QueueUrl=queue, MessageBody="no hint")

    def given_up() -> bool:
        name = "ApproximateNumberOfMessages"
        found = sqs.get_queue_attributes(QueueUrl=dead, AttributeNames=[name])["Attributes"]
        return bool(found[name] == "1")

    until(given_up)
    (seen,) = [q for q in world.remit.data("queues", "list")["items"] if q["agent"] == "clerk"]
    assert (seen["waiting"], seen["dead"]) == (0, 1)
    world.remit("queues", "redrive", "clerk")
    assert not given_up()
    for url in (queue, dead):  # it would be given up again
        sqs.purge_queue(QueueUrl=url)
    logged = world.remit(
        "deploy", "logs", *TARGET, "--minutes", "30", "--agent", "clerk", "--grep", "no hint"
    )
    assert len(logged.splitlines()) >= 5


def test_a_rule_is_checked_on_time_and_its_failure_is_told(world: World) -> None:
    """A tick when the rule is due runs it: its run is in the log, and whoever subscribed to the topic hears what failed."""
    until(lambda: datetime.now(UTC) >= world.due)
    world.aws("lambda").invoke(FunctionName=f"{NAME}-tick", InvocationType="Event", Payload=b"{}")

    def failed() -> Any:
        heard = world.aws("sqs").receive_message(QueueUrl=world.told, WaitTimeSeconds=5).get("Messages", ())
        told = [json.loads(json.loads(message["Body"])["Message"]) for message in heard]
        return next((each["data"] for each in told if "lines" in each.get("data", {})), None)

    said = until(failed)
    (run,) = world.remit.data("validations", "runs", "--table", "orders")["items"]
    assert (run["status"], run["triggered_by"]) == ("FAILED", "scheduler")
    assert run["details"]["below_count"] == 1
    assert [(line["config_id"], line["run_id"]) for line in said["lines"]] == [
        ("orders-amount", run["run_id"])
    ]


@pytest.mark.nightly
def test_what_runs_in_dev_is_promoted_to_stage_by_one_command(world: World) -> None:
    """It shows what it would do and wants somebody's word; then the stage runs the very bytes and definitions of dev, under names and
    keys of its own. What is not deployed cannot be promoted."""
    promote = ("deploy", "promote", "--to", "stage", *TARGET)
    world.remit("deploy", "promote", "--from", "prod", "--to", "stage", *TARGET, "--yes", code=3)
    assert "`shop-prod` is not deployed" in world.remit.said
    release = world.remit.data("deploy", "outputs", *TARGET)[RELEASE]
    assert "functions" in world.remit(*promote, code=3)
    assert f"release {release}" in world.remit.said
    assert "nobody is here to be asked" in world.remit.said
    formation = world.aws("cloudformation")
    assert [s["StackName"] for s in formation.describe_stacks()["Stacks"]] == [NAME], "nobody agreed"
    done = world.remit.data(*promote, "--yes")
    assert done["ApiUrl"] != world.remit.data("deploy", "outputs", *TARGET)["ApiUrl"]
    assert done[RELEASE] == release
    functions = world.aws("lambda").get_paginator("list_functions").paginate()
    code = {f["FunctionName"]: f["CodeSha256"] for page in functions for f in page["Functions"]}
    assert len({name.split("-")[1] for name in code}) == 2
    assert len(set(code.values())) == 1, "the same bytes everywhere"
    world.remit(*promote, "--yes")
    assert "nothing to do" in world.remit.said


def test_the_status_is_healthy(world: World) -> None:
    """After all this no dead letter and no alarm is left, and the status says what runs."""
    status = world.remit.data("deploy", "status", *TARGET)
    assert status["stack"].endswith("_COMPLETE")
    assert [q for q in status["queues"] if "-dead" in q["name"] and q["waiting"]] == []


def test_the_last_one_takes_all_down_and_nothing_is_left(world: World) -> None:
    """Destroying asks for the name, and leaves nothing named after the deployment in the account."""
    world.remit("deploy", "destroy", *TARGET, "--name", "something-else", code=2)
    done = world.remit.data("deploy", "destroy", *TARGET, "--name", NAME, "--delete-data")
    assert done["left"] == []


def as_agent(world: World, agent: str, service: str) -> Any:
    """A client with the rights of an agent's function: its role is borrowed for the test."""
    iam, function = world.aws("iam"), world.aws("lambda")
    arn = function.get_function_configuration(FunctionName=f"{NAME}-agent-{agent}")["Role"]
    trust = {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    iam.update_assume_role_policy(RoleName=arn.rsplit("/", 1)[1], PolicyDocument=document)
    keys = world.aws("sts").assume_role(RoleArn=arn, RoleSessionName="test")["Credentials"]
    return boto3.client(
        service,
        endpoint_url=world.remit.variables["AWS_ENDPOINT_URL"],
        region_name="us-east-1",
        aws_access_key_id=keys["AccessKeyId"],
        aws_secret_access_key=keys["SecretAccessKey"],
        aws_session_token=keys["SessionToken"],
    )
