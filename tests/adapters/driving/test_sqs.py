"""Hints as messages, on an emulator of SQS over real sockets: `eval "$(scripts/ci/ministack.sh)"`."""

from __future__ import annotations

import json
import secrets
from typing import Any

import pytest
from tests.adapters.emulator import REGION, clients

from remit.adapters.aws.session import Session
from remit.adapters.driving.names import dead_queue, run_queue
from remit.adapters.driving.queues import QueueState, RunQueues
from remit.adapters.driving.sqs import SqsDriver
from remit.core.errors import ConfigError, StoreError
from remit.ports.driving import Hint

__all__ = ["clients"]

service = pytest.mark.service


class Deployment:
    """The run queues of one deployment."""

    def __init__(self, clients: Session, *agents: str) -> None:
        self.clients = clients
        self.name = f"remit-{secrets.token_hex(4)}"
        self.sqs = clients("sqs")
        for agent in agents:
            dead = self._make(dead_queue(self.name, agent))
            arn = self.sqs.get_queue_attributes(QueueUrl=dead, AttributeNames=["QueueArn"])["Attributes"]
            policy = json.dumps({"deadLetterTargetArn": arn["QueueArn"], "maxReceiveCount": "2"})
            self._make(run_queue(self.name, agent), RedrivePolicy=policy)

    def taken(self, agent: str, *, dead: bool = False, most: int = 10) -> list[dict[str, Any]]:
        """Messages received from an agent's queue."""
        name = dead_queue(self.name, agent) if dead else run_queue(self.name, agent)
        url = self.sqs.get_queue_url(QueueName=name)["QueueUrl"]
        found: list[dict[str, Any]] = self.sqs.receive_message(
            QueueUrl=url, MaxNumberOfMessages=most, AttributeNames=["All"]
        ).get("Messages", [])
        return found

    def _make(self, name: str, **attributes: str) -> str:
        url: str = self.sqs.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]
        return url


def runs(messages: list[dict[str, Any]]) -> set[str]:
    """The runs that messages name."""
    return {json.loads(each["Body"])["run_id"] for each in messages}


@service
async def test_hints_go_to_the_queue_of_their_agent(clients: Session) -> None:
    """Many at once, each to its own agent's queue, none lost."""
    deployment = Deployment(clients, "echo", "charger")
    driver = SqsDriver(clients, deployment.name)
    hints = [Hint(f"run_{n}", "echo") for n in range(23)] + [Hint("run_c", "charger")]
    assert await driver.hint(hints) == []
    got: set[str] = set()
    while messages := deployment.taken("echo"):
        got |= runs(messages)
    assert got == {f"run_{n}" for n in range(23)}
    assert runs(deployment.taken("charger")) == {"run_c"}


@service
async def test_an_agent_without_a_queue_is_served_by_the_default_one(clients: Session) -> None:
    """An agent of the registry has no function of its own."""
    deployment = Deployment(clients, "echo", "default")
    driver = SqsDriver(clients, deployment.name)
    assert await driver.hint([Hint("run_1", "made-today"), Hint("run_2", "workflow:inline")]) == []
    assert runs(deployment.taken("default")) == {"run_1", "run_2"}


@service
async def test_an_agent_of_the_registry_is_never_served_by_anothers_function(clients: Session) -> None:
    """`pay.out` and `pay-out` have one name in AWS: the function is of the one that the code has."""
    deployment = Deployment(clients, "pay-out", "default")
    driver = SqsDriver(clients, deployment.name, {"pay-out"})
    assert await driver.hint([Hint("run_1", "pay.out"), Hint("run_2", "pay-out")]) == []
    assert runs(deployment.taken("default")) == {"run_1"}
    assert runs(deployment.taken("pay-out")) == {"run_2"}
    assert await SqsDriver(clients, deployment.name, {"pay.out"}).hint([Hint("run_3", "pay.out")]) == []
    assert runs(deployment.taken("pay-out")) == {"run_3"}


@service
async def test_a_deployment_without_queues_takes_no_hint(clients: Session) -> None:
    """It is said which were not passed on, and nothing is raised: the next look at what is due finds them."""
    hint = Hint("run_1", "echo")
    assert await SqsDriver(clients, "remit-nowhere").hint([hint]) == [hint]


async def test_a_queue_that_is_not_there_is_no_failure_of_who_tells(monkeypatch: pytest.MonkeyPatch) -> None:
    """No connection: a hint less, and nothing raised."""
    pytest.importorskip("boto3")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "x")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
    nowhere = Session(region=REGION, endpoint_url="http://127.0.0.1:9")
    driver = SqsDriver(lambda service: nowhere(service, attempts=1), "remit-test")
    hint = Hint("run_1", "echo")
    assert await driver.hint([hint]) == [hint]
    await driver.postpone("remit-test-run-echo", "receipt", 5)
    with pytest.raises(StoreError) as raised:
        await RunQueues(lambda service: nowhere(service, attempts=1), "remit-test").list()
    assert raised.value.code == "E658"


@service
async def test_a_delayed_hint_is_not_seen_yet(clients: Session) -> None:
    """A timer's message stays away until then; the longest delay is 15 minutes."""
    deployment = Deployment(clients, "echo")
    driver = SqsDriver(clients, deployment.name)
    assert await driver.hint([Hint("run_1", "echo", 60.0), Hint("run_2", "echo", 5000.0)]) == []
    assert deployment.taken("echo") == []
    assert await RunQueues(clients, deployment.name).list() == [QueueState("echo", 0, 2, 0, 0)]


@service
async def test_a_message_is_postponed(clients: Session) -> None:
    """It comes back when it was told to: at once here, long before the queue's own time."""
    deployment = Deployment(clients, "echo")
    driver = SqsDriver(clients, deployment.name)
    await driver.hint([Hint("run_1", "echo")])
    (message,) = deployment.taken("echo")
    assert deployment.taken("echo") == []
    queue = f"arn:aws:sqs:us-east-1:000000000000:{run_queue(deployment.name, 'echo')}"
    await driver.postpone(queue, message["ReceiptHandle"], 0)
    (again,) = deployment.taken("echo")
    assert again["Attributes"]["ApproximateReceiveCount"] == "2"


@service
async def test_what_was_given_up_is_sent_once_more(clients: Session) -> None:
    """A message received too often lies in the dead-letter queue; redriving it empties that and fills the other."""
    deployment = Deployment(clients, "echo", "charger")
    driver, queues = SqsDriver(clients, deployment.name), RunQueues(clients, deployment.name)
    await driver.hint([Hint("run_1", "echo"), Hint("run_2", "echo")])
    name = run_queue(deployment.name, "echo")
    for _ in range(2):
        for message in deployment.taken("echo"):
            await driver.postpone(name, message["ReceiptHandle"], 0)
    assert deployment.taken("echo") == []
    assert await queues.list() == [QueueState("charger", 0, 0, 0, 0), QueueState("echo", 0, 0, 0, 2)]
    assert await queues.redrive("echo") == 2
    assert await queues.redrive("echo") == 0
    assert runs(deployment.taken("echo")) == {"run_1", "run_2"}


@service
async def test_redriving_an_agent_that_has_no_queue(clients: Session) -> None:
    """It says which queue is missing."""
    with pytest.raises(ConfigError, match="remit-none-run-echo-dead") as raised:
        await RunQueues(clients, "remit-none").redrive("echo")
    assert raised.value.code == "E656"


class Refusing:
    """A client of SQS that refuses entries of batches as often as it is told, and sends the rest for real."""

    def __init__(self, real: Any, times: int) -> None:
        self._real = real
        self._times = times
        self.meta = real.meta

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    def send_message_batch(self, *, QueueUrl: str, Entries: list[dict[str, Any]]) -> dict[str, Any]:
        if self._times <= 0:
            answer: dict[str, Any] = self._real.send_message_batch(QueueUrl=QueueUrl, Entries=Entries)
            return answer
        self._times -= 1
        first, *rest = Entries
        if rest:
            self._real.send_message_batch(QueueUrl=QueueUrl, Entries=rest)
        return {"Failed": [{"Id": first["Id"], "Code": "InternalError", "SenderFault": False}]}


@service
@pytest.mark.parametrize(("times", "lost"), [(2, 0), (3, 1)])
async def test_what_sqs_refuses_of_a_batch_is_sent_again(clients: Session, times: int, lost: int) -> None:
    """Only that, and twice at most; what is left then is said."""
    deployment = Deployment(clients, "echo")
    refusing = Refusing(clients("sqs"), times)
    hints = [Hint(f"run_{n}", "echo") for n in range(3)]
    answer = await SqsDriver(lambda service: refusing, deployment.name).hint(hints)
    assert answer == hints[:lost]
    assert runs(deployment.taken("echo")) == {hint.run_id for hint in hints[lost:]}


@service
async def test_the_messages_of_a_tenant_are_one_group(clients: Session) -> None:
    """So that SQS lets those of others pass by when one has very many; and all can be taken at the same time."""
    deployment = Deployment(clients, "echo")
    driver = SqsDriver(clients, deployment.name)
    hints = [Hint(f"run_{n}", "echo", tenant_id=tenant) for n, tenant in enumerate(["a", "a", "b\u00e9"])]
    assert await driver.hint(hints) == []
    messages = deployment.taken("echo")
    groups = {json.loads(m["Body"])["run_id"]: m["Attributes"]["MessageGroupId"] for m in messages}
    assert groups["run_0"] == groups["run_1"] != groups["run_2"]
