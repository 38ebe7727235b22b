"""Sessions of people in a browser, and the codes that open one: secrets that stand for an identity for a while.

A secret reads `<id>.<secret>`. As of API keys, only a hash is stored, and a fast one, since the secret is 256 random bits. A session
that was opened with a key is worth what the key is worth at each request: it ends when the key does. One of whom a provider vouches
for is worth what the provider's claims are worth by the settings of the moment, and ends when its word does.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Callable, Mapping
from typing import Any, Literal

from msgspec import Struct
from msgspec.structs import replace

from remit.core.codec import convert, plain
from remit.core.errors import ConditionError, DeniedError
from remit.core.task import Actor
from remit.engine.keys import Identity, Keys
from remit.ports.clock import Clock
from remit.ports.store import ABSENT, Collection, Delete, Index, Put, Records

COLLECTION = "web_session"
COLLECTIONS = (Collection(COLLECTION, ("session_id",), (Index("by_expiry", ("kind", "expires_ts")),)),)

IDLE_MS = 12 * 3_600_000
"""A session ends when nobody has come back for so long."""

LONGEST_MS = 7 * 86_400_000
"""A session ends after so long whatever happens."""

RENEW_MS = 3_600_000
"""The secret of a session is replaced when it is older than this."""

GRACE_MS = 60_000
"""For so long the secret before counts too: other tabs have sent it already."""

CODE_MS = 300_000
"""A sign-in code is good for so long, once."""

SWEPT = 20
"""How many that are over are removed when a new one is made."""

_SECRET = re.compile(r"([0-9a-f]{32})\.([A-Za-z0-9_-]{43})")
_NOBODY = hashlib.sha256(b"nobody").hexdigest()

Kind = Literal["session", "code"]

Claims = Mapping[str, Any]


class Session(Struct, frozen=True):
    """A stored session or code. Times are Unix milliseconds; `csrf` is what requests that change something must repeat.

    `key_id` or `claims`: what the roles come from at each request. `former` is the hash before, good until `former_until`.
    `until_ts`: when it ends whatever happens, if that is said. `expires_s` is when a store that removes by itself may do so.
    """

    session_id: str
    kind: Kind
    hash: str
    tenant_id: str
    actor: Actor
    csrf: str
    created_ts: int
    renewed_ts: int
    expires_ts: int
    expires_s: int
    key_id: str = ""
    former: str = ""
    former_until: int = 0
    claims: dict[str, Any] | None = None
    until_ts: int = 0


class Opened(Struct, frozen=True):
    """A session just opened or renewed, with the secret that is shown this once."""

    session: Session
    secret: str


class Sessions:
    """Opens, checks, renews and ends sessions."""

    def __init__(
        self, store: Records, clock: Clock, keys: Keys, vouched: Callable[[Claims], Identity]
    ) -> None:
        """`vouched` says whom a provider's claims name, now; it raises DeniedError for nobody who may come in."""
        self._store = store
        self._clock = clock
        self._keys = keys
        self._vouched = vouched

    async def open_with_key(self, key: str) -> Opened:
        """A session of whoever has the API key. Raises DeniedError E310."""
        who = await self._keys.authenticate(key)
        return await self._open(self._make("session", who, self._keys.id_of(key), IDLE_MS))

    async def open_vouched(self, claims: Claims, until_ts: int) -> Opened:
        """A session of whom a provider vouches for, until then at the latest (Unix milliseconds). Raises DeniedError E1057."""
        made = self._make("session", self._vouched(claims), "", IDLE_MS)
        until = min(made.session.expires_ts, until_ts)
        bound = replace(
            made.session,
            claims=dict(claims),
            until_ts=until_ts,
            expires_ts=until,
            expires_s=_seconds(until),
        )
        return await self._open(Opened(bound, made.secret))

    async def _open(self, made: Opened) -> Opened:
        await self._sweep("session")
        await self._store.transact([Put(COLLECTION, plain(made.session), ABSENT)])
        return made

    async def code_for(self, key: str) -> str:
        """A code that opens one session of whoever has the API key, within five minutes. Raises DeniedError E310."""
        who = await self._keys.authenticate(key)
        made = self._make("code", who, self._keys.id_of(key), CODE_MS)
        await self._sweep("code")
        await self._store.transact([Put(COLLECTION, plain(made.session), ABSENT)])
        return made.secret

    async def open_with_code(self, code: str) -> Opened:
        """A session for a code, which is then used up. Raises DeniedError E1050, the same for every way a code can be wrong."""
        row = await self._live(code, "code")
        if row is None:
            raise _no_code()
        who = await self._keys.identity_of(row.key_id)
        made = self._make("session", who, row.key_id, IDLE_MS)
        used = Delete(COLLECTION, (row.session_id,), {"hash": row.hash})
        try:
            await self._store.transact([used, Put(COLLECTION, plain(made.session), ABSENT)])
        except ConditionError as error:
            raise _no_code() from error
        return made

    async def find(self, secret: str) -> tuple[Session, Identity]:
        """The session of a secret, and whose it is. Raises DeniedError E310 when it is over, or what it was opened with is."""
        row = await self._live(secret, "session")
        if row is not None and row.key_id:
            return row, await self._keys.identity_of(row.key_id)
        if row is None or row.claims is None:
            raise _signed_out()
        try:
            return row, self._vouched(row.claims)
        except DeniedError as error:
            raise _signed_out() from error

    async def renew(self, session: Session) -> Opened | None:
        """The session under another secret, and for longer; None while its secret is young, or where somebody else was first."""
        now = self._clock.now()
        if now - session.renewed_ts < RENEW_MS:
            return None
        until = min(now + IDLE_MS, session.created_ts + LONGEST_MS, session.until_ts or now + IDLE_MS)
        secret = secrets.token_urlsafe(32)
        renewed = replace(
            session,
            hash=_hash(session.session_id, secret),
            former=session.hash,
            former_until=now + GRACE_MS,
            renewed_ts=now,
            expires_ts=until,
            expires_s=_seconds(until),
        )
        try:
            await self._store.transact([Put(COLLECTION, plain(renewed), {"hash": session.hash})])
        except ConditionError:
            return None
        return Opened(renewed, f"{session.session_id}.{secret}")

    async def end(self, session: Session) -> None:
        """End a session at once. Ending twice is harmless."""
        await self._store.transact([Delete(COLLECTION, (session.session_id,))])

    def _make(self, kind: Kind, who: Identity, key_id: str, ttl_ms: int) -> Opened:
        now = self._clock.now()
        session_id, secret = secrets.token_hex(16), secrets.token_urlsafe(32)
        made = Session(
            session_id=session_id,
            kind=kind,
            hash=_hash(session_id, secret),
            tenant_id=who.tenant_id,
            actor=who.actor,
            csrf=secrets.token_urlsafe(32),
            created_ts=now,
            renewed_ts=now,
            expires_ts=now + ttl_ms,
            expires_s=_seconds(now + ttl_ms),
            key_id=key_id,
        )
        return Opened(made, f"{session_id}.{secret}")

    async def _live(self, secret: str, kind: Kind) -> Session | None:
        parts = _SECRET.fullmatch(secret)
        item: dict[str, Any] | None = await self._store.get(COLLECTION, (parts[1],)) if parts else None
        row = None if item is None else convert(item, Session)
        given = _hash(parts[1], parts[2]) if parts else ""
        now = self._clock.now()
        fits = hmac.compare_digest(given, _NOBODY if row is None else row.hash)
        if row is not None and row.former and now < row.former_until:
            fits = hmac.compare_digest(given, row.former) or fits
        return row if row is not None and fits and row.kind == kind and now < row.expires_ts else None

    async def _sweep(self, kind: Kind) -> None:
        """Remove some that are over. DynamoDB does so by itself; here it spares a job of its own."""
        page = await self._store.query(COLLECTION, "by_expiry", (kind,), upper=self._clock.now(), limit=SWEPT)
        if page.items:
            await self._store.transact([Delete(COLLECTION, (item["session_id"],)) for item in page.items])


def _hash(session_id: str, secret: str) -> str:
    return hashlib.sha256(f"{session_id}:{secret}".encode()).hexdigest()


def _seconds(ms: int) -> int:
    return ms // 1000 + 86_400


def _signed_out() -> DeniedError:
    return DeniedError("you are not signed in, or no longer", code="E310", help="sign in again")


def _no_code() -> DeniedError:
    return DeniedError(
        "the sign-in code is not valid, or was used",
        code="E1050",
        help="make another one: `remit keys link`, or sign in with an API key",
    )
