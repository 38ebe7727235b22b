"""An e-commerce database that ships as a recipe: the same rows in SQLite, where it is made on first use, and in a real PostgreSQL."""

from __future__ import annotations

from pathlib import Path

from remit_packs.assistant.shop.loading import load, make
from remit_packs.assistant.shop.meaning import NOTES
from remit_packs.assistant.shop.rows import COLUMNS, FULL, SMALL, Size
from remit_packs.tools.sql import Database

__all__ = ["FULL", "NOTES", "SMALL", "Size", "load", "shop_database"]


def shop_database(home: Path | str | None = None, url: str = "", size: Size = FULL) -> Database:
    """The shop for agents: at `url` where it was loaded, else a file under `home` (default `.remit`) that is made on first use.

    A tenant sees its own rows; passwords do not exist, and of an e-mail address only the domain.
    """
    path = Path(home or ".remit") / "ecommerce.db"

    def made() -> str:
        make(path, size)
        return f"sqlite:///{path}"

    return Database(
        "shop",
        url or made,
        tables=list(COLUMNS),
        tenant_column="tenant_id",
        shared=["categories"],
        hide=["customers.password_hash"],
        masks={"customers.email": "substr(email, 1 + length(email) - length('@example.com'))"},
        notes=NOTES,
        samples=[
            "orders.status",
            "orders.channel",
            "customers.country",
            "customers.segment",
            "payments.status",
            "categories.name",
        ],
    )
