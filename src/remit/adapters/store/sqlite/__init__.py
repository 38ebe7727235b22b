"""The store in one SQLite file: one machine, several processes, no service."""

from remit.adapters.store.sqlite.store import SqliteStore as SqliteStore
