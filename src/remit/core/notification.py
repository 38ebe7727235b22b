"""Who is told what about failing and recovered rules (V9). Times are Unix milliseconds. Nothing here holds row values."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from typing import Any, Literal

from msgspec import Struct

from remit.core.errors import InputError
from remit.core.naming import check_id
from remit.core.validation import ValidationRun

ChannelName = Literal["email", "slack", "webhook", "sns"]
Occasion = Literal["failure", "error", "recovery", "budget"]
"""`budget`: the tenant has used 80 or 100 per cent of its own budget."""
Delivery = Literal["pending", "sending", "sent", "failed", "unknown"]
"""`unknown`: the connection broke when the message may already have been accepted."""

MOST_LINES = 50
"""Rules that one message names; the others are counted."""

GRACE_MS = 15 * 60_000
"""How long a message that is planned and not yet known to be sent counts as told."""

SECRET = re.compile(r"\$\{secret:([A-Za-z][A-Za-z0-9_]*)\}")
_ADDRESS = re.compile(r"[^@\s,;<>()\"]{1,64}@[A-Za-z0-9][A-Za-z0-9.-]{0,253}\Z")
_URL = re.compile(r"https?://[^\s/@?#]+(?:[/?][^\s]*)?\Z")
_TOPIC = re.compile(r"arn:aws[a-z-]*:sns:[a-z0-9-]+:[0-9]{12}:[A-Za-z0-9_-]{1,256}(?:\.fifo)?\Z")
_FACTS = re.compile(r".*_(?:count|pct|percent|hash|nulls|hours)\Z|column\Z")


class NotifierConfig(Struct, frozen=True, forbid_unknown_fields=True):
    """Who is told, by which channel, about which tables and rules; without any, about all.

    `target` is a list of addresses (email), the ARN of a topic (sns) or a URL, and may name secrets as `${secret:NAME}`;
    Slack's webhook URL is one. While a rule goes on failing it is told again after `mute_for_s` seconds at the earliest, 0: at every run.
    `signing_key` names the secret that a webhook's messages are signed with.
    """

    notifier_id: str
    channel: ChannelName
    target: str
    tables: tuple[str, ...] = ()
    configs: tuple[str, ...] = ()
    on: tuple[Occasion, ...] = ("failure", "error", "recovery")
    mute_for_s: int = 86_400
    muted_until: int = 0
    enabled: bool = True
    signing_key: str = ""
    created_at: int = 0


class RuleLine(Struct, frozen=True):
    """One rule in a message: what became of it, by which run, and its counts. `since` is when it began to fail."""

    config_id: str
    version: int
    validation_type: str
    state: Literal["FAILED", "ERROR", "RECOVERED"]
    run_id: str
    since: int
    facts: dict[str, Any] = {}


class Notification(Struct, frozen=True):
    """One message to one notifier about one table. `more` counts the rules that `lines` has no room for."""

    notification_id: str
    tenant_id: str
    notifier_id: str
    channel: ChannelName
    table_id: str
    kind: Literal["failure", "recovery", "test", "budget"]
    subject: str
    lines: tuple[RuleLine, ...]
    planned_ts: int
    agent_run: str = ""
    more: int = 0
    status: Delivery = "pending"
    changed_ts: int = 0
    receipt: str = ""
    problem: str = ""


class Incident(Struct, frozen=True):
    """A rule that fails, as one notifier sees it. `told_ts` is when its failing was last told for sure, 0 for never.

    `maybe_told` says whether anybody may have been told, `notification_id` which message spoke of it last, `last_ts`
    the time of the last run that was looked at.
    """

    tenant_id: str
    config_id: str
    notifier_id: str
    state: Literal["open", "closed"]
    opened_ts: int
    last_ts: int
    told_ts: int = 0
    maybe_told: bool = False
    notification_id: str = ""
    revision: int = 0


def check_notifier(config: NotifierConfig) -> None:
    """Raise InputError E624 that names every mistake in a notifier."""
    check_id("notifier_id", config.notifier_id)
    for name, ids in (("table_id", config.tables), ("config_id", config.configs)):
        for one in ids:
            check_id(name, one)
    mistakes = [text for text in (_target(config), *_rest(config)) if text]
    if mistakes:
        raise InputError(
            f"notifier `{config.notifier_id}` cannot be used: {'; '.join(mistakes)}",
            code="E624",
            help="correct it and try again; nothing was changed",
        )


def addresses(target: str) -> list[str]:
    """The addresses of an email target."""
    return [part.strip() for part in target.split(",") if part.strip()]


def concerns(config: NotifierConfig, run: ValidationRun) -> bool:
    """Whether a notifier wants to hear of this rule at all."""
    everything = not config.tables and not config.configs
    return everything or run.table_id in config.tables or run.config_id in config.configs


def quiet(config: NotifierConfig, now: int) -> bool:
    """Whether a notifier is switched off or muted at the moment."""
    return not config.enabled or config.muted_until > now


class Judgement(Struct, frozen=True):
    """What a run means to one notifier: how the incident stands now (None: unchanged), and what is to be said."""

    incident: Incident | None = None
    line: RuleLine | None = None


def judge(
    config: NotifierConfig,
    run: ValidationRun,
    incident: Incident | None,
    last: Notification | None,
    *,
    tenant_id: str,
    now: int,
) -> Judgement:
    """What a rule's newest run means, after what was there before; `last` is the last message about the incident.

    A failure is told at once and again when it has been quiet for long enough; a recovery only where a failure may
    have been told. A run older than one that was looked at means nothing any more.
    """
    if incident is not None and run.timestamp < incident.last_ts:
        return Judgement()
    known = incident is not None and incident.state == "open"
    if not known and run.status == "PASSED":
        return Judgement()
    last = last if known else None
    sure, maybe = _told(incident, last) if known and incident else (0, False)
    stands = Incident(
        tenant_id=tenant_id,
        config_id=run.config_id,
        notifier_id=config.notifier_id,
        state="open" if run.status != "PASSED" else "closed",
        opened_ts=incident.opened_ts if known and incident else run.timestamp,
        last_ts=run.timestamp,
        told_ts=sure,
        maybe_told=maybe,
        notification_id=incident.notification_id if known and incident else "",
        revision=incident.revision if incident else 0,
    )
    recovered = stands.state == "closed"
    if recovered:
        wanted = "recovery" in config.on and (maybe or _under_way(last, now))
    else:
        occasion = "failure" if run.status == "FAILED" else "error"
        wanted = occasion in config.on and not _lately_told(config, sure, last, now)
    if not wanted or quiet(config, now):
        return Judgement(stands)
    return Judgement(stands, line_of(run, recovered=recovered, since=stands.opened_ts))


def _told(incident: Incident, last: Notification | None) -> tuple[int, bool]:
    """When the failing was last told for sure (0: never), and whether it may have been told at all."""
    if last is None:
        return incident.told_ts, incident.maybe_told
    sure = max(incident.told_ts, last.planned_ts) if last.status == "sent" else incident.told_ts
    return sure, incident.maybe_told or last.status in ("sent", "sending", "unknown")


def _under_way(last: Notification | None, now: int, lasts: int = GRACE_MS) -> bool:
    """Whether a message was planned so lately that it counts as told, though nobody knows that it was sent."""
    unsettled = last is not None and last.status in ("pending", "sending", "unknown")
    return unsettled and last is not None and now < last.planned_ts + min(lasts, GRACE_MS)


def _lately_told(config: NotifierConfig, sure: int, last: Notification | None, now: int) -> bool:
    """Whether the failing was told so lately that it is not to be told again yet."""
    lasts = config.mute_for_s * 1000
    return (sure > 0 and now < sure + lasts) or _under_way(last, now, lasts)


def line_of(run: ValidationRun, *, recovered: bool, since: int) -> RuleLine:
    """What a message says of a rule's run: counts, percentages and hashes, never a value of a row."""
    facts = {
        name: value
        for name, value in run.details.items()
        if _FACTS.match(name) and isinstance(value, int | float | str) and len(str(value)) <= 200
    }
    state: Any = "RECOVERED" if recovered else run.status
    return RuleLine(run.config_id, run.version, run.validation_type, state, run.run_id, since, facts)


def subject_of(table_id: str, lines: Sequence[RuleLine]) -> str:
    """The one line that says it all."""
    counts = {state: sum(line.state == state for line in lines) for state in ("FAILED", "ERROR", "RECOVERED")}
    bad = [f"{_rules(counts[s])} {text}" for s, text in _STATES if counts[s]]
    word = next(word for word in ("FAILED", "ERROR", "RECOVERED") if counts[word])
    return f"[{word}] {table_id}: {', '.join(bad)}"


_STATES = (("FAILED", "failed"), ("ERROR", "could not be decided"), ("RECOVERED", "recovered"))


def facts_text(line: RuleLine) -> str:
    """The counts of a rule in one line."""
    return ", ".join(f"{name} {_number(value)}" for name, value in line.facts.items())


def notification_id_of(tenant_id: str, notifier_id: str, table_id: str, run_ids: Sequence[str]) -> str:
    """The id of what is told a notifier about a table's runs: planning it again gives the same one."""
    text = "\x00".join((tenant_id, notifier_id, table_id, *sorted(run_ids)))
    return "ntf_" + hashlib.sha256(text.encode()).hexdigest()[:26]


def _rules(count: int) -> str:
    return f"{count:,} rule" if count == 1 else f"{count:,} rules"


def _number(value: Any) -> str:
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)


def _target(config: NotifierConfig) -> str:
    bare = SECRET.sub("x", config.target)
    if not config.target or len(config.target) > 2000 or not config.target.isprintable():
        return "`target` must be addresses or a URL of at most 2000 characters"
    if config.channel == "email":
        wrong = [a for a in addresses(config.target) if not (_ADDRESS.match(a) or SECRET.fullmatch(a))]
        if not addresses(config.target):
            return "`target` names no e-mail address"
        return f"`{wrong[0][:100]}` is no e-mail address" if wrong else ""
    if config.channel == "slack" and not SECRET.fullmatch(config.target):
        return "a Slack webhook URL is a secret: set REMIT_SECRET_SLACK_URL and write `${secret:slack_url}` as target"
    if config.channel == "sns":
        known = SECRET.fullmatch(config.target) or _TOPIC.match(config.target)
        return "" if known else f"`{config.target[:100]}` is no ARN of an SNS topic"
    if not SECRET.match(config.target) and not _URL.match(bare):
        return f"`{config.target[:100]}` is no http or https URL without a password"
    return ""


def _rest(config: NotifierConfig) -> list[str]:
    return [
        "" if config.on else "`on` names no occasion: failure, error, recovery",
        ""
        if 0 <= config.mute_for_s <= 366 * 86_400
        else "`mute_for_s` must lie between 0 seconds and a year",
        ""
        if not config.signing_key or (SECRET.fullmatch(config.signing_key) and config.channel == "webhook")
        else "`signing_key` is for webhooks, and names a secret: `${secret:NAME}`",
    ]
