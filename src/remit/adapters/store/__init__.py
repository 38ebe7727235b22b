"""The store port on memory (tests), SQLite (one machine) and PostgreSQL (several), proved by one contract suite."""
