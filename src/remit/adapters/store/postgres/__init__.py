"""The store in PostgreSQL: several machines, one transaction boundary. Needs the extra `postgres`."""

from remit.core.errors import ConfigError
from remit.core.extras import how_to_install

try:
    import psycopg as _psycopg  # noqa: F401
    import psycopg_pool as _pool  # noqa: F401
except ImportError as error:
    raise ConfigError(
        "the PostgreSQL store needs the package `psycopg`, which is not installed",
        code="E210",
        help=how_to_install("postgres"),
    ) from error

from remit.adapters.store.postgres.store import PostgresStore as PostgresStore
