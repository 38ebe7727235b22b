"""API keys: who calls, for which tenant, in which roles.

A key reads `remit_<key id>_<secret>`. Only a salted SHA-256 of the secret is stored. A fast hash is right here:
the secret is 256 random bits, so there is nothing to guess that a slow password hash would have to slow down,
while a slow hash on every request would let anybody without a key burn our processor.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Awaitable, Callable, Iterable, Sequence
from difflib import get_close_matches

from msgspec import Struct
from msgspec.structs import replace

from remit.core.access import ROLE_SCOPES
from remit.core.codec import convert, plain
from remit.core.errors import ConditionError, DeniedError, InputError, NotFoundError
from remit.core.task import Actor
from remit.ports.clock import Clock
from remit.ports.store import ABSENT, Collection, Index, Put, Records

COLLECTION = "api_key"
API_KEY = "api_key"
"""How an actor came who showed a key (`Actor.via`)."""

COLLECTIONS = (Collection(COLLECTION, ("key_id",), (Index("by_tenant", ("tenant_id", "created_ts")),)),)

Approvers = Callable[[str], Awaitable[Iterable[str]]]

_KEY = re.compile(r"remit_([0-9a-f]{16})_([A-Za-z0-9_-]{43})")
_NOBODY = hashlib.sha256(b"nobody").hexdigest()


class ApiKey(Struct, frozen=True):
    """A stored key. `hash` is of salt and secret; times are Unix milliseconds; `revoked_ts` None means not revoked."""

    key_id: str
    tenant_id: str
    actor_id: str
    roles: tuple[str, ...]
    salt: str
    hash: str
    created_ts: int
    expires_ts: int | None = None
    revoked_ts: int | None = None


class KeyInfo(Struct, frozen=True):
    """What may be shown of a key."""

    key_id: str
    tenant_id: str
    actor_id: str
    roles: tuple[str, ...]
    created_ts: int
    expires_ts: int | None
    revoked_ts: int | None


class KeyPage(Struct, frozen=True):
    """A page of keys; `cursor` of the next page, or null at the end."""

    items: list[KeyInfo]
    cursor: str | None = None


class NewKey(Struct, frozen=True):
    """A key just made. `secret` is the whole key as a client sends it; it is shown this once and kept nowhere."""

    key_id: str
    secret: str


class Identity(Struct, frozen=True):
    """Who calls: proved by a credential, never read from a body."""

    tenant_id: str
    actor: Actor


class Keys:
    """Makes, checks and revokes API keys."""

    def __init__(self, store: Records, clock: Clock, approvers: Approvers) -> None:
        """`approvers` names the roles that a tenant's policy profiles let approve."""
        self._store = store
        self._clock = clock
        self._approvers = approvers

    async def create(
        self,
        tenant_id: str,
        actor_id: str,
        roles: Sequence[str],
        *,
        custom_roles: Sequence[str] = (),
        ttl_s: float | None = None,
    ) -> NewKey:
        """Make a key for `actor_id` in `tenant_id`. `ttl_s` makes it expire.

        `roles` are built in or let people approve by a policy profile; any other, that a workflow's gate or a policy's text
        asks for, is one of the `custom_roles`. Raises InputError without names or roles, E1090 for a role nobody knows.
        """
        await self._check(tenant_id, roles)
        roles = (*roles, *custom_roles)
        if not tenant_id or not actor_id or not roles:
            raise InputError(
                "a key needs a tenant, an actor and at least one role",
                code="E110",
                help="name them, e.g. `remit keys create --tenant acme --actor ana --role operator`",
            )
        now = self._clock.now()
        key_id, salt, secret = secrets.token_hex(8), secrets.token_hex(16), secrets.token_urlsafe(32)
        key = ApiKey(
            key_id=key_id,
            tenant_id=tenant_id,
            actor_id=actor_id,
            roles=tuple(dict.fromkeys(roles)),
            salt=salt,
            hash=_hash(salt, secret),
            created_ts=now,
            expires_ts=None if ttl_s is None else now + int(ttl_s * 1000),
        )
        await self._store.transact([Put(COLLECTION, plain(key), ABSENT)])
        return NewKey(key_id, f"remit_{key_id}_{secret}")

    async def authenticate(self, secret: str) -> Identity:
        """Whom the key belongs to. Raises DeniedError E310, the same for every way a key can be wrong.

        The comparison takes the same time whether the key id exists or not.
        """
        parts = _KEY.fullmatch(secret)
        key = await self._find(parts[1]) if parts else None
        known = key or ApiKey("", "", "", (), "", _NOBODY, 0)
        given = _hash(known.salt, parts[2] if parts else "")
        if not hmac.compare_digest(given, known.hash) or key is None or not self._live(key):
            raise _not_valid()
        return _identity(key)

    def id_of(self, secret: str) -> str:
        """The id of a key that was authenticated."""
        parts = _KEY.fullmatch(secret)
        return parts[1] if parts else ""

    async def identity_of(self, key_id: str) -> Identity:
        """Whom a key belongs to by its id alone, for what stands in for the key. Raises DeniedError E310 unless it works now."""
        key = await self._find(key_id)
        if key is None or not self._live(key):
            raise _not_valid()
        return _identity(key)

    async def revoke(self, key_id: str, tenant_id: str = "") -> None:
        """End a key at once, of `tenant_id` where it is given. Revoking twice is harmless. Raises NotFoundError for an unknown key."""
        key = await self._find(key_id)
        if key is None or tenant_id not in ("", key.tenant_id):
            raise NotFoundError(f"there is no API key `{key_id}`", help="list them with `remit keys list`")
        if key.revoked_ts is not None:
            return
        revoked = replace(key, revoked_ts=self._clock.now())
        try:
            await self._store.transact([Put(COLLECTION, plain(revoked), {"hash": key.hash})])
        except ConditionError:
            await self.revoke(key_id, tenant_id)

    async def page(self, tenant_id: str, *, limit: int, cursor: str | None = None) -> KeyPage:
        """Keys of a tenant, newest first, revoked ones included."""
        page = await self._store.query(
            COLLECTION, "by_tenant", (tenant_id,), descending=True, limit=limit, cursor=cursor
        )
        shown = [{f: item.get(f) for f in KeyInfo.__struct_fields__} for item in page.items]
        return KeyPage([convert(item, KeyInfo) for item in shown], page.cursor)

    async def list(self, tenant_id: str) -> list[KeyInfo]:
        """The keys of a tenant, newest first, revoked ones included."""
        page = await self.page(tenant_id, limit=200)
        found = [*page.items]
        while page.cursor is not None:
            page = await self.page(tenant_id, limit=200, cursor=page.cursor)
            found += page.items
        return found

    async def _check(self, tenant_id: str, roles: Sequence[str]) -> None:
        """Raise InputError E1090 for a role nobody knows: a slip must not make a key of other rights."""
        if all(role in ROLE_SCOPES for role in roles):
            return
        known = [*ROLE_SCOPES, *sorted({*await self._approvers(tenant_id)} - ROLE_SCOPES.keys())]
        for role in roles:
            if role not in known:
                close = get_close_matches(role, known, n=1)
                meant = f"did you mean `{close[0]}`? " if close else ""
                raise InputError(
                    f"there is no role `{role[:100]}`",
                    code="E1090",
                    help=f"{meant}known: {', '.join(f'`{each}`' for each in known)}; one of a workflow's gate or a policy's text "
                    "is a custom role (`--custom-role`)",
                )

    async def _find(self, key_id: str) -> ApiKey | None:
        item = await self._store.get(COLLECTION, (key_id,))
        return None if item is None else convert(item, ApiKey)

    def _live(self, key: ApiKey) -> bool:
        unexpired = key.expires_ts is None or self._clock.now() < key.expires_ts
        return key.revoked_ts is None and unexpired


def _hash(salt: str, secret: str) -> str:
    return hashlib.sha256(f"{salt}:{secret}".encode()).hexdigest()


def _identity(key: ApiKey) -> Identity:
    return Identity(key.tenant_id, Actor(key.actor_id, key.roles, API_KEY))


def _not_valid() -> DeniedError:
    return DeniedError(
        "the API key is not valid",
        code="E310",
        help="send a current key as `Authorization: Bearer ...`; make one with `remit keys create`",
    )
