"""The store in Redis: several machines, one server that keeps what it acknowledges. Needs the extra `redis`."""

from remit.core.errors import ConfigError
from remit.core.extras import how_to_install

try:
    import redis.asyncio as _redis  # noqa: F401
except ImportError as error:
    raise ConfigError(
        "the Redis store needs the package `redis`, which is not installed",
        code="E210",
        help=how_to_install("redis"),
    ) from error

from remit.adapters.store.redis.store import RedisStore as RedisStore
