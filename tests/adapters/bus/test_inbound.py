"""What a message from outside says: an event of EventBridge, of SNS, a CloudEvent, or nothing that is one."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remit.adapters.bus.inbound import Reader
from remit.core.errors import InputError

S3 = {
    "version": "0",
    "id": "17793124-05d4-b198-2fde-7ededc63b103",
    "detail-type": "Object Created",
    "source": "aws.s3",
    "account": "111122223333",
    "time": "2026-11-12T00:00:00Z",
    "region": "ca-central-1",
    "resources": ["arn:aws:s3:::incoming"],
    "detail": {"bucket": {"name": "incoming"}, "object": {"key": "orders/7.csv"}},
}


def read(body: Any) -> Any:
    """What the reader of tenant `own` says."""
    return Reader("own")(body if isinstance(body, str) else json.dumps(body))


def test_an_event_of_an_aws_service() -> None:
    """It keeps its name, its time, what it is about, and whence it came; its tenant is the deployment's."""
    arrived = read(S3)
    event = arrived.event
    assert (arrived.tenant_id, arrived.trusted) == ("own", False)
    assert (event.id, event.source, event.type) == (S3["id"], "aws.s3", "Object Created")
    assert (event.time, event.subject, event.data) == (S3["time"], "arn:aws:s3:::incoming", S3["detail"])
    assert event.extensions == {
        "awsaccount": "111122223333",
        "awsregion": "ca-central-1",
        "ingress": "eventbridge",
    }


def test_a_rule_says_the_tenant_and_whether_it_may_be_trusted() -> None:
    """By its input transformer; a tenant inside the event says nothing."""
    arrived = read({"tenant_id": "acme", "trusted": True, "event": {**S3, "tenantid": "zeta"}})
    assert (arrived.tenant_id, arrived.trusted, arrived.event.tenantid) == ("acme", True, "")


@pytest.mark.parametrize(
    "body",
    [
        "no JSON",
        "[]",
        "{}",
        {"tenant_id": 7, "event": S3},
        {"tenant_id": "", "event": S3},
        {"tenant_id": "a", "trusted": "yes", "event": S3},
        {"tenant_id": "a", "event": "text"},
        {"tenant_id": "a", "event": {"tenant_id": "b", "event": S3}},
        {**S3, "id": 5},
        {**S3, "source": ""},
        {**S3, "time": "yesterday"},
        {**S3, "detail": {"specversion": "1.0", "id": "", "source": "s", "type": "t"}},
        {"specversion": "2.0", "id": "i", "source": "s", "type": "t"},
        {"Type": "Notification", "MessageId": "m", "TopicArn": "arn", "Message": 5},
    ],
    ids=str,
)
def test_what_is_no_event_is_refused(body: Any) -> None:
    """By a sentence, whatever it is."""
    with pytest.raises(InputError):
        read(body)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
FIELDS = st.sampled_from(
    ["id", "source", "detail-type", "detail", "specversion", "type", "event", "tenant_id", "trusted", "time",
     "resources", "Type", "MessageId", "TopicArn", "Message", "Subject", "data", "partitionkey", "hops"]
)  # fmt: skip


@given(st.dictionaries(FIELDS, JSON, max_size=12))
def test_nothing_that_comes_in_breaks_the_reader(body: dict[str, Any]) -> None:
    """It is an event or an InputError."""
    try:
        arrived = read(body)
    except InputError:
        return
    assert arrived.tenant_id
    assert arrived.event.extensions["ingress"] in ("eventbridge", "sns", "sqs")
