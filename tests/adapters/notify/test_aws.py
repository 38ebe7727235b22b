"""Notifications through SNS and SES, on an emulator over real sockets; `eval "$(scripts/ci/ministack.sh)"` starts it."""

from __future__ import annotations

import json
import secrets
from typing import Any
from urllib.request import urlopen

import pytest
from tests.adapters.emulator import REGION, URL, FailingAws, clients, credentials
from tests.adapters.notify.messages import notification

from remit.adapters.aws.session import Session
from remit.adapters.notify.ses import SesChannel, ses_sender
from remit.adapters.notify.sns import SnsChannel, message_of
from remit.core.errors import ConfigError, InputError, ToolError
from remit.core.notification import NotifierConfig, check_notifier
from remit.ports.notifier import Channel

__all__ = ["clients"]

service = pytest.mark.service
TOPIC = "arn:aws:sns:us-east-1:000000000000:remit-dev-alerts"
LOCAL = frozenset({"local"})


def topic_with_queue(clients: Session, *, fifo: bool = False) -> tuple[str, str]:
    """A topic, and a queue that gets what is published there as it is."""
    end = ".fifo" if fifo else ""
    name = f"remit-{secrets.token_hex(4)}{end}"
    attributes = {"FifoTopic": "true"} if fifo else {}
    topic: str = clients("sns").create_topic(Name=name, Attributes=attributes)["TopicArn"]
    sqs = clients("sqs")
    queue: str = sqs.create_queue(QueueName=name, Attributes={"FifoQueue": "true"} if fifo else {})[
        "QueueUrl"
    ]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    clients("sns").subscribe(
        TopicArn=topic, Protocol="sqs", Endpoint=arn, Attributes={"RawMessageDelivery": "true"}
    )
    return topic, queue


def received(clients: Session, queue: str) -> list[dict[str, Any]]:
    """What is in the queue."""
    messages: list[dict[str, Any]] = []
    while (
        found := clients("sqs")
        .receive_message(QueueUrl=queue, MaxNumberOfMessages=10, MessageAttributeNames=["All"])
        .get("Messages")
    ):
        messages += found
    return messages


@service
async def test_a_queue_gets_an_event(clients: Session) -> None:
    """The same event that a webhook gets, with attributes to filter by."""
    topic, queue = topic_with_queue(clients)
    receipt = await SnsChannel(clients, LOCAL).send(notification(channel="sns"), topic)
    (message,) = received(clients, queue)
    event = json.loads(message["Body"])
    assert (event["type"], event["subject"]) == ("dev.remit.validation.failed", "orders")
    assert [line["config_id"] for line in event["data"]["lines"]] == ["orders-count", "orders-ids"]
    assert {name: a["StringValue"] for name, a in message["MessageAttributes"].items()} == {
        "tenant_id": "local",
        "kind": "failure",
        "notifier_id": "ops",
        "table_id": "orders",
    }
    assert receipt.startswith("SNS ")


@service
async def test_a_fifo_topic_knows_a_repetition(clients: Session) -> None:
    """The notification's id makes sending it again the same message."""
    topic, queue = topic_with_queue(clients, fifo=True)
    channel = SnsChannel(clients, LOCAL)
    for id_ in ("ntf_1", "ntf_1", "ntf_2"):
        await channel.send(notification(channel="sns", notification_id=id_), topic)
    assert [json.loads(m["Body"])["id"] for m in received(clients, queue)] == ["ntf_1", "ntf_2"]


def test_people_get_text_and_a_subject_that_sns_takes() -> None:
    """One line of ASCII of at most a hundred characters; by telephone, the subject alone."""
    made = message_of(notification(subject=" é\n" + "x" * 200), fifo=False)
    assert made["Subject"].isascii()
    assert made["Subject"].isprintable()
    assert len(made["Subject"]) == 100
    texts = json.loads(made["Message"])
    assert "FAILED    orders-count v3" in texts["default"]
    assert texts["sms"].startswith(" é")
    assert json.loads(texts["lambda"]) == json.loads(texts["sqs"])


@service
async def test_mail_goes_to_every_address(clients: Session) -> None:
    """As text and HTML, from the sender that the settings name."""
    sender = f"{secrets.token_hex(4)}@example.com"
    clients("sesv2").create_email_identity(EmailIdentity=sender)
    channel = SesChannel(clients, ses_sender(f"ses://?from={sender}"))
    receipt = await channel.send(notification(), "ops@example.com, dana@example.com")
    with urlopen(f"{URL}/_ministack/ses/messages", timeout=5) as answer:
        boxes = json.load(answer)["messages"]
    (sent,) = [m for box in boxes.values() for m in box if sender in json.dumps(m)]
    assert receipt == f"SES {sent['MessageId']}"
    assert set(sent["To"]) == {"ops@example.com", "dana@example.com"}
    assert sent["Subject"] == "[FAILED] orders: 1 rule failed, 1 rule recovered"
    assert "FAILED    orders-count v3" in sent["BodyText"]
    assert "<b>orders-count</b>" in sent["BodyHtml"]


@service
async def test_what_aws_does_not_take_has_surely_not_been_sent(clients: Session) -> None:
    """A topic that is not there, and a sender that nobody has verified; no error holds the target."""
    missing = f"arn:aws:sns:us-east-1:000000000000:remit-{secrets.token_hex(4)}"
    cases: list[tuple[Channel, str]] = [
        (SnsChannel(clients, LOCAL), missing),
        (SesChannel(clients, "nobody@example.org"), "ops@example.com"),
    ]
    for channel, target in cases:
        with pytest.raises(ToolError) as raised:
            await channel.send(notification(), target)
        assert (raised.value.code, raised.value.retryable) == ("E686", False)
        assert target not in str(raised.value)


async def test_a_tenant_needs_leave_for_the_account() -> None:
    """Nothing is sent for any other than those that are named."""
    channel = SnsChannel(lambda *_, **__: pytest.fail("AWS was asked"), LOCAL)
    with pytest.raises(ToolError, match="`acme` may not use the AWS account") as raised:
        await channel.send(notification(tenant_id="acme"), TOPIC)
    assert raised.value.code == "E685"


@pytest.mark.parametrize("kind", ["sns", "ses"])
@pytest.mark.parametrize(
    ("answer", "raises", "code", "retryable"),
    [
        ((403, "AuthorizationError"), ToolError, "E685", False),
        ((403, "AccessDeniedException"), ToolError, "E685", False),
        ((429, "TooManyRequestsException"), ToolError, "E687", True),
        ((400, "Throttling"), ToolError, "E687", True),
        ((400, "InvalidParameter"), ToolError, "E686", False),
        ((500, "InternalFailure"), ConnectionError, "", False),
        ((503, "ServiceUnavailable"), ConnectionError, "", False),
        ("hang up", ConnectionError, "", False),
    ],
)
async def test_a_message_is_sent_once(
    monkeypatch: pytest.MonkeyPatch,
    kind: str,
    answer: tuple[int, str] | str,
    raises: type[Exception],
    code: str,
    retryable: bool,
) -> None:
    """Never again by itself; it is known whether it was surely not taken, and an error holds neither target nor answer."""
    pytest.importorskip("boto3")
    credentials(monkeypatch)
    with FailingAws(answer) as server:
        session = Session(region=REGION, endpoint_url=server.url)
        channel: Channel = (
            SnsChannel(session, LOCAL) if kind == "sns" else SesChannel(session, "a@example.com")
        )
        target = TOPIC if kind == "sns" else "ops@example.com"
        with pytest.raises(raises) as raised:
            await channel.send(notification(), target)
        assert len(server.requests) == 1
    assert getattr(raised.value, "code", "") == code
    assert getattr(raised.value, "retryable", False) is retryable
    assert target not in str(raised.value)
    assert "this is" not in str(raised.value)


async def test_an_aws_that_is_not_there_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing was sent when nobody took the connection."""
    pytest.importorskip("boto3")
    credentials(monkeypatch)
    session = Session(region=REGION, endpoint_url="http://127.0.0.1:9")
    with pytest.raises(ToolError) as raised:
        await SnsChannel(session, LOCAL).send(notification(), TOPIC)
    assert (raised.value.code, raised.value.retryable) == ("E687", True)


@pytest.mark.parametrize("url", ["ses:", "ses://", "ses://?from=nobody", "ses://?to=a@b.c"])
def test_ses_needs_a_sender(url: str) -> None:
    """The setting says which."""
    with pytest.raises(ConfigError) as raised:
        ses_sender(url)
    assert raised.value.code == "E629"


def test_the_target_of_sns_is_a_topic() -> None:
    """Its ARN, or a secret that holds it."""
    for target in (TOPIC, f"{TOPIC}.fifo", "${secret:topic}", TOPIC.replace("aws", "aws-us-gov")):
        check_notifier(NotifierConfig("ops", "sns", target))
    for target in (
        "alerts",
        "https://example.com",
        TOPIC.replace(":sns:", ":sqs:"),
        f"{TOPIC}/x",
        f"a{TOPIC}",
    ):
        with pytest.raises(InputError, match="no ARN of an SNS topic"):
            check_notifier(NotifierConfig("ops", "sns", target))
