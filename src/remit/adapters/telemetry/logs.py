"""Structured logs: one JSON object a line, with `run_id` and `trace_id`, and without secrets."""

from __future__ import annotations

import json
import logging
import re
import sys
from collections.abc import Callable, MutableMapping, Sequence
from datetime import UTC, datetime
from typing import Any, TextIO

FIELDS = (
    "event", "run_id", "trace_id", "tenant_id", "agent", "workflow", "parent_run", "step", "waiting_on", "status", "code",
    "steps", "cost_usd", "seconds", "request_id",
)  # fmt: skip
"""Fields a record may carry by `extra=...`; they become top-level keys."""

REDACTED = "[redacted]"

_API_KEY = re.compile(r"remit_([0-9a-f]{16})_[A-Za-z0-9_-]{43}")


class Redact(logging.Filter):
    """Replaces every API key, and every secret handed out so far (`known`), wherever it stands in a record.

    It formats the message first, so that a secret passed as an argument is seen too.
    """

    def __init__(self, known: Callable[[], Sequence[str]] = tuple) -> None:
        super().__init__()
        self._known = known

    def filter(self, record: logging.LogRecord) -> bool:
        """Rewrite the record; never drops one."""
        record.msg, record.args = self.clean(record.getMessage()), None
        if record.exc_info and not record.exc_text:
            record.exc_text = logging.Formatter().formatException(record.exc_info)
        if record.exc_text:
            record.exc_text = self.clean(record.exc_text)
        for name in FIELDS:
            if isinstance(value := getattr(record, name, None), str):
                setattr(record, name, self.clean(value))
        return True

    def clean(self, text: str) -> str:
        """The text without secrets."""
        for secret in self._known():
            if secret:
                text = text.replace(secret, REDACTED)
        return _API_KEY.sub(rf"remit_\1_{REDACTED}", text)


class JsonFormatter(logging.Formatter):
    """A record as one line of JSON: ts (ISO 8601, UTC), level, logger, message, the known fields, and error."""

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        line: dict[str, Any] = {
            "ts": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        line.update(
            {name: value for name in FIELDS if (value := getattr(record, name, "")) not in ("", None)}
        )
        if record.exc_info and not record.exc_text:
            record.exc_text = self.formatException(record.exc_info)
        if record.exc_text:
            line["error"] = record.exc_text
        return json.dumps(line, ensure_ascii=False, default=str)


class RunLogger(logging.LoggerAdapter[logging.Logger]):
    """A logger bound to one run: every line says which. Made where the run is known; no hidden context."""

    def process(self, msg: Any, kwargs: MutableMapping[str, Any]) -> tuple[Any, MutableMapping[str, Any]]:
        """Add the bound fields to those of this call."""
        kwargs["extra"] = {**(self.extra or {}), **(kwargs.get("extra") or {})}
        return msg, kwargs


def for_run(logger: logging.Logger, run_id: str, trace_id: str = "", **more: str) -> RunLogger:
    """A logger whose lines carry this run's ids."""
    return RunLogger(logger, {"run_id": run_id, "trace_id": trace_id, **more})


def handler(
    *, as_json: bool, known: Callable[[], Sequence[str]] = tuple, stream: TextIO | None = None
) -> logging.Handler:
    """A handler that writes redacted lines to `stream` (standard error by default)."""
    made = logging.StreamHandler(stream or sys.stderr)
    plain = logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s")
    made.setFormatter(JsonFormatter() if as_json else plain)
    made.addFilter(Redact(known))
    return made


def configure(level: str, *, as_json: bool, known: Callable[[], Sequence[str]] = tuple) -> None:
    """Send the logs of Remit and of its server to standard error. Called once, by a program's `main`."""
    out = handler(as_json=as_json, known=known)
    for name in ("remit", "uvicorn.error"):
        logger = logging.getLogger(name)
        logger.handlers[:] = [out]
        logger.setLevel(level.upper())
        logger.propagate = False
