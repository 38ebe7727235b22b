"""CloudEvents: what is one, and its JSON form."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remit.core.cloudevent import CloudEvent, checked, from_json, stored_event, to_json
from remit.core.codec import decode, encode
from remit.core.errors import InputError
from remit.core.times import rfc3339

WHOLE = {
    "specversion": "1.0",
    "id": "A234-1234-1234",
    "source": "https://github.com/cloudevents",
    "type": "com.github.pull_request.opened",
    "subject": "123",
    "time": "2018-04-05T17:31:00Z",
    "comexampleextension1": "value",
    "comexampleothervalue": 5,
    "flag": True,
    "datacontenttype": "application/json",
    "partitionkey": "k",
    "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    "data": {"appinfoA": "abc", "nothing": None},
}


def test_the_json_form_of_the_specification_goes_both_ways() -> None:
    """Every attribute and extension is kept."""
    assert to_json(from_json(WHOLE)) == WHOLE


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"specversion": "0.3"}, "only `1.0`"),
        ({"specversion": None}, "only `1.0`"),
        ({"id": ""}, "`id` is missing"),
        ({"source": None}, "`source` is missing"),
        ({"type": 5}, "`type` is no text"),
        ({"time": "yesterday"}, "RFC 3339"),
        ({"time": "2018-13-05T17:31:00Z"}, "RFC 3339"),
        ({"Upper": "x"}, "cannot name an extension"),
        ({"with-dash": "x"}, "cannot name an extension"),
        ({"deep": {"x": 1}}, "no text, integer or boolean"),
        ({"big": 2**31}, "32-bit"),
        ({"datacontenttype": "application/xml"}, "only JSON"),
        ({"data_base64": "AA=="}, "`data_base64`"),
        ({"hops": -1}, "`hops`"),
        ({"id": "x" * 401}, "more than 400"),
        ({"subject": "a\x00"}, "NUL"),
    ],
)
def test_what_is_no_event_is_refused_with_every_reason(change: dict[str, Any], said: str) -> None:
    """The sentence names the attribute."""
    with pytest.raises(InputError) as refusal:
        from_json({**WHOLE, **change})
    assert refusal.value.code == "E660"
    assert said in refusal.value.message


@pytest.mark.parametrize("raw", [None, [], "x", 5])
def test_an_event_is_an_object(raw: Any) -> None:
    """Anything else is refused."""
    with pytest.raises(InputError):
        from_json(raw)


def test_a_large_event_is_refused() -> None:
    """Of more bytes than EventBridge and SQS take."""
    with pytest.raises(InputError) as refusal:
        checked(CloudEvent("1", "s", "t", data="x" * 262_144))
    assert refusal.value.code == "E661"


def test_times_are_rfc_3339() -> None:
    """In UTC, with milliseconds."""
    assert rfc3339(1_800_000_000_123) == "2027-01-15T08:00:00.123Z"


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)
NAMES = st.text("abcxyz019", min_size=1, max_size=8).filter(lambda n: n not in CloudEvent.__struct_fields__)


@given(
    data=VALUES,
    extensions=st.dictionaries(
        NAMES, st.text("ab\u00fc", max_size=4) | st.booleans() | st.integers(-9, 9), max_size=3
    ),
    hops=st.integers(0, 20),
    key=st.text("ab", max_size=3),
)
def test_what_is_stored_is_what_was_given(data: Any, extensions: dict[str, Any], hops: int, key: str) -> None:
    """Any event survives its JSON form, strict and stored."""
    extensions = {n: v for n, v in extensions.items() if n not in ("specversion", "data")}
    event = CloudEvent("1", "s", "t", data, hops=hops, partitionkey=key, extensions=extensions)
    stored = decode(encode(to_json(event)), dict[str, Any])
    assert stored_event(stored) == event
    assert from_json(stored) == event
