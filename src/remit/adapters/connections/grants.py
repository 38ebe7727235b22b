"""Rotated refresh tokens in the store, sealed with a key that only the holder of the client secret has."""

from __future__ import annotations

import base64
import hashlib
from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct

from remit.ports.store import Collection, Put, Store

if TYPE_CHECKING:
    from cryptography.fernet import Fernet

GRANT = "connection_grant"
COLLECTIONS = (Collection(GRANT, ("tenant_id", "platform")),)


class Grant(Struct, frozen=True):
    """What a refresh gave: an access token, when it ends, and the refresh token for the next time."""

    access_token: str
    expires_ts: int
    refresh_token: str


class StoredGrants:
    """The latest grant of each connection. A client secret that is replaced makes the old grant unreadable, and starts anew."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def get(self, tenant_id: str, platform: str, key: str) -> Grant | None:
        """The latest grant that `key` reads."""
        from cryptography.fernet import InvalidToken

        row = await self._store.get(GRANT, (tenant_id, platform))
        if row is None:
            return None
        try:
            text = _sealer(key, tenant_id, platform).decrypt(row["sealed"].encode())
        except InvalidToken:
            return None
        return msgspec.json.decode(text, type=Grant)

    async def put(self, tenant_id: str, platform: str, key: str, grant: Grant) -> None:
        """Keep the latest grant."""
        sealed = _sealer(key, tenant_id, platform).encrypt(msgspec.json.encode(grant)).decode()
        await self._store.transact(
            [Put(GRANT, {"tenant_id": tenant_id, "platform": platform, "sealed": sealed})]
        )


def _sealer(key: str, tenant_id: str, platform: str) -> Fernet:
    """Of a client secret, which is long and random: no slow derivation is needed."""
    from cryptography.fernet import Fernet

    text = "\x00".join(("remit grant", tenant_id, platform, key)).encode()
    return Fernet(base64.urlsafe_b64encode(hashlib.sha256(text).digest()))
