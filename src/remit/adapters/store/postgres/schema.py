"""The PostgreSQL schema, as the list of steps that lead to it."""

from __future__ import annotations

from typing import Any, LiteralString

import psycopg

from remit.core.errors import ConfigError

MIGRATIONS: tuple[str, ...] = (
    """
    CREATE TABLE runs (
        key bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, run_id text NOT NULL UNIQUE, tenant_id text NOT NULL,
        root_run text NOT NULL, agent text NOT NULL, status text NOT NULL, seq bigint NOT NULL, hash bytea NOT NULL,
        epoch bigint NOT NULL, owner text NOT NULL, lease_until bigint NOT NULL, wake_ts bigint,
        inbox integer NOT NULL, created_ts bigint NOT NULL) WITH (fillfactor = 70);
    CREATE INDEX runs_ready ON runs (tenant_id, created_ts, run_id) WHERE status = 'ready';
    CREATE INDEX runs_wake ON runs (wake_ts) WHERE status = 'waiting';
    CREATE TABLE events (
        run_key bigint NOT NULL, seq bigint NOT NULL, hash bytea NOT NULL, body bytea NOT NULL,
        PRIMARY KEY (run_key, seq));
    CREATE TABLE contents (digest bytea PRIMARY KEY, packed integer NOT NULL, body bytea NOT NULL);
    ALTER TABLE contents ALTER COLUMN body SET STORAGE EXTERNAL;
    CREATE TABLE inbox (
        run_key bigint NOT NULL, signal_id text NOT NULL, id bigint GENERATED ALWAYS AS IDENTITY, body bytea,
        PRIMARY KEY (run_key, signal_id));
    CREATE TABLE collections (name text PRIMARY KEY, version bigint NOT NULL, declaration text NOT NULL);
    CREATE TABLE pings (id integer PRIMARY KEY, count bigint NOT NULL);
    INSERT INTO pings VALUES (1, 0);
    """,
    "CREATE INDEX runs_root ON runs (root_run) WHERE status <> 'ended'",
)
"""Each step is applied once, in order; the table `schema_version` counts them. Released steps never change."""


def raw(text: str) -> LiteralString:
    """SQL that was put together from checked names, for psycopg, which asks for literals."""
    return text


async def migrate(db: psycopg.AsyncConnection[Any], schema: str) -> None:
    """Bring the database to this schema. Raises ConfigError for one that a newer Remit wrote."""
    async with db.transaction():
        # One process migrates at a time; the others find it done.
        await db.execute("SELECT pg_advisory_xact_lock(hashtext(%s))", (f"remit-migrate-{schema}",))
        await db.execute(raw(f'CREATE SCHEMA IF NOT EXISTS "{schema}"'))
        await db.execute("CREATE TABLE IF NOT EXISTS schema_version (version integer NOT NULL)")
        row = await (await db.execute("SELECT max(version) FROM schema_version")).fetchone()
        version = int(row[0] or 0) if row else 0
        if version > len(MIGRATIONS):
            raise ConfigError(
                f"`{schema}` has schema {version}, and this Remit knows up to {len(MIGRATIONS)}",
                code="E211",
                help="upgrade remit, or restore the backup made before the upgrade",
            )
        for number, step in enumerate(MIGRATIONS[version:], version + 1):
            await db.execute(raw(step))
            await db.execute("INSERT INTO schema_version VALUES (%s)", (number,))
