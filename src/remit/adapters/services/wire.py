"""Between JSON and what boto3 takes and gives: bytes as Base64, times as text or milliseconds, names in PascalCase."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from remit.adapters.services.contract import failure


def sent(action: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """Arguments with the binary values of messages and items as bytes. Raises ToolError for what is no Base64."""
    try:
        made: dict[str, Any] = _bytes_in(given)
        return made
    except (binascii.Error, ValueError) as error:
        raise failure(action, "", f"a binary value is no Base64: {error}") from error


def _bytes_in(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {
            name: _binary(each)
            if name in ("B", "BinaryValue") and isinstance(each, str)
            else _members(name, each)
            for name, each in value.items()
        }
    if isinstance(value, list):
        return [_bytes_in(each) for each in value]
    return value


def _members(name: str, value: Any) -> Any:
    if name == "BS" and isinstance(value, list):
        return [_binary(each) for each in value]
    return _bytes_in(value)


def _binary(text: str) -> bytes:
    return base64.b64decode(text, validate=True)


def received(value: Any, *, millis: bool = False) -> Any:
    """An answer as JSON values: bytes as Base64, streams read, times as ISO 8601 or, with `millis`, Unix milliseconds."""
    if isinstance(value, Mapping):
        return {str(name): received(each, millis=millis) for name, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [received(each, millis=millis) for each in value]
    if isinstance(value, datetime):
        at = value if value.tzinfo else value.replace(tzinfo=UTC)
        return round(at.timestamp() * 1000) if millis else _iso(at)
    if isinstance(value, (bytes, bytearray)):
        return base64.b64encode(value).decode()
    if hasattr(value, "read"):
        return _text(value.read())
    return value


def _text(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError:
        return base64.b64encode(data).decode()


def _iso(at: datetime) -> str:
    spec = "milliseconds" if at.microsecond else "seconds"
    return at.astimezone(UTC).isoformat(timespec=spec).replace("+00:00", "Z")


def exception_name(client: Any, told: Mapping[str, Any]) -> str:
    """The exception that a service's error is, as a class of the SDK for Java is named; empty for one that the model has not.

    `told` is the `Error` of a ClientError. A service that used to speak the query protocol says its own name beside the old code.
    """
    codes = {told.get("Code"), told.get("QueryErrorCode")}
    for shape in client.meta.service_model.error_shapes:
        if shape.name in codes or shape.error_code in codes:
            return class_name(shape.name)
    return ""


def class_name(name: str) -> str:
    """A name as that of a class of errors."""
    return name if name.endswith(("Exception", "Error")) else f"{name}Exception"
