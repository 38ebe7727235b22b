"""Questions to a database in plain words: an agent writes SQL, and what runs is checked, rewritten and limited.

from remit_packs.tools.sql import Database, database_tools

shop = Database("shop", "postgresql://reader:${secret:SHOP}@db/shop", tables=["customers", "orders"], tenant_column="tenant_id")
analyst = Agent("analyst", instructions="Answer with numbers from the database.", tools=database_tools(shop))
"""

from __future__ import annotations

from remit_packs.tools.sql.citing import Citations, Cited, check_citations
from remit_packs.tools.sql.database import Database
from remit_packs.tools.sql.description import Description
from remit_packs.tools.sql.limits import Limits
from remit_packs.tools.sql.result import Result
from remit_packs.tools.sql.roles import role_script
from remit_packs.tools.sql.tools import database_tools

__all__ = [
    "Citations",
    "Cited",
    "Database",
    "Description",
    "Limits",
    "Result",
    "check_citations",
    "database_tools",
    "role_script",
]
