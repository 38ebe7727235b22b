"""Customer support over a shop: a supervisor and four specialists, with real orders, products, customers and tickets."""

from __future__ import annotations

from pathlib import Path

from remit.sdk import Pack
from remit_packs.support.agents import support_agents
from remit_packs.support.database import Shop
from remit_packs.support.rules import RULES
from remit_packs.support.shop import FULL, Size
from remit_packs.support.tools import support_tools

__all__ = ["open_shop", "pack", "pack_of"]


def pack(home: Path | str | None = None) -> Pack:
    """The pack over the shop at `home/shop.db` (default `.remit`), made on first use."""
    return pack_of(open_shop(home))


def open_shop(home: Path | str | None = None, size: Size = FULL) -> Shop:
    """The shop under `home`. Nothing is read or written yet."""
    return Shop(Path(home or ".remit") / "shop.db", size)


def pack_of(shop: Shop) -> Pack:
    """The pack over a given shop."""
    tools = support_tools(shop)
    return Pack(
        "support",
        description="Customer support: orders, refunds, products, preferences, troubleshooting.",
        agents=support_agents(tools),
        tools=list(tools.values()),
        rules=RULES,
    )
