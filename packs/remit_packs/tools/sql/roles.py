"""The login that agents ask with: SQL for whoever runs the server, so that even a query that nobody guards could not write."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from remit.sdk import ConfigError
from remit_packs.tools.sql.database import Database
from remit_packs.tools.sql.rules import Rules


def role_script(
    database: Database,
    role: str = "remit_reader",
    *,
    dialect: Literal["postgres", "mysql"] = "postgres",
    schema: str = "public",
) -> str:
    """SQL that makes a login which reads what `database` allows and nothing else. Set its password yourself.

    `schema` is PostgreSQL's, or MySQL's database. Raises ConfigError E907 for a name that is none.
    """
    if not role.isidentifier() or not schema.isidentifier():
        raise ConfigError(
            f"`{role}` or `{schema}` is no plain name", code="E907", help="use letters, digits and `_`"
        )
    script = _postgres if dialect == "postgres" else _mysql
    return "\n".join(script(database, role, schema)) + "\n"


def _postgres(database: Database, role: str, schema: str) -> list[str]:
    seconds = int(database.limits.timeout_s)
    return [
        f"CREATE ROLE {role} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS NOINHERIT CONNECTION LIMIT 20;",
        f"ALTER ROLE {role} SET default_transaction_read_only = on;",
        f"ALTER ROLE {role} SET statement_timeout = '{seconds + 5}s';",
        f"ALTER ROLE {role} SET temp_file_limit = '1GB';",
        f"REVOKE CREATE ON SCHEMA {schema} FROM PUBLIC;",
        f"GRANT USAGE ON SCHEMA {schema} TO {role};",
        *(
            f"GRANT {what} TO {role};"
            for what in _granted(database.rules, f"ALL TABLES IN SCHEMA {schema}", f"{schema}.", '"')
        ),
    ]


def _mysql(database: Database, role: str, schema: str) -> list[str]:
    return [
        f"CREATE USER '{role}'@'%' WITH MAX_USER_CONNECTIONS 20;",
        *(
            f"GRANT {what} TO '{role}'@'%';"
            for what in _granted(database.rules, f"{schema}.*", f"{schema}.", "`")
        ),
    ]


def _granted(rules: Rules, all_tables: str, prefix: str, quote: str) -> list[str]:
    """What may be read: whole tables, or the listed columns and those that rules read."""
    if rules.tables == "*":
        return [f"SELECT ON {all_tables}"]
    listed = rules.tables if isinstance(rules.tables, Mapping) else dict.fromkeys(rules.tables, "*")
    found = []
    for table, columns in listed.items():
        limited = (
            columns != "*"
            and table not in rules.rows
            and not any(m.startswith(f"{table}.") for m in rules.masks)
        )
        tenant = [rules.tenant_column] if rules.tenant_column and table not in rules.shared else []
        names = ", ".join(f"{quote}{c}{quote}" for c in dict.fromkeys([*columns, *tenant])) if limited else ""
        found.append(f"SELECT{f' ({names})' if names else ''} ON {prefix}{quote}{table}{quote}")
    return found
