"""The shapes in which Step Functions hands over what services answer."""

from __future__ import annotations

import base64
import hashlib
import uuid
from typing import Any

from remit.core.codec import encode

_SPACE = uuid.UUID("6f0a4a3c-90f2-5be3-8d05-3f6a1c8b6a57")


def as_text(value: Any) -> str:
    """What goes into a message: text as it is, any other JSON value as its JSON."""
    return value if isinstance(value, str) else encode(value).decode()


def id_of(key: str, place: str = "") -> str:
    """A UUID that is the same for the same call: from its idempotency key."""
    return str(uuid.uuid5(_SPACE, f"{key}/{place}"))


def with_metadata(answer: dict[str, Any], request_id: str) -> dict[str, Any]:
    """An answer made here, with the metadata that Step Functions adds to each."""
    return {
        **answer,
        "SdkHttpMetadata": {"AllHttpHeaders": {}, "HttpHeaders": {}, "HttpStatusCode": 200},
        "SdkResponseMetadata": {"RequestId": request_id},
    }


def from_sdk(answer: dict[str, Any]) -> dict[str, Any]:
    """An answer of boto3 with its metadata as Step Functions has them."""
    metadata = answer.get("ResponseMetadata", {})
    headers = {str(k): str(v) for k, v in metadata.get("HTTPHeaders", {}).items()}
    return {
        **{k: v for k, v in answer.items() if k != "ResponseMetadata"},
        "SdkHttpMetadata": {
            "AllHttpHeaders": {name: [value] for name, value in headers.items()},
            "HttpHeaders": headers,
            "HttpStatusCode": metadata.get("HTTPStatusCode", 200),
        },
        "SdkResponseMetadata": {"RequestId": metadata.get("RequestId", "")},
    }


def md5_of(text: str) -> str:
    """The MD5 of a message body, in hex, with which a sender compares what arrived."""
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


def md5_of_attributes(attributes: dict[str, Any]) -> str:
    """The MD5 of message attributes (SQS developer guide, "Calculating the MD5 message digest for message attributes")."""
    made = hashlib.md5(usedforsecurity=False)
    for name in sorted(attributes):
        value = attributes[name]
        text = value.get("StringValue")
        data = base64.b64decode(value.get("BinaryValue", "")) if text is None else text.encode()
        for part in (name.encode(), value["DataType"].encode()):
            made.update(len(part).to_bytes(4, "big") + part)
        made.update((b"\x02" if text is None else b"\x01") + len(data).to_bytes(4, "big") + data)
    return made.hexdigest()
