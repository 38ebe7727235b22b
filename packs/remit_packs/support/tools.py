"""Every tool of the pack, by name."""

from __future__ import annotations

from remit.sdk import FunctionTool
from remit_packs.support.changes import change_tools
from remit_packs.support.customers import customer_tools, send_email_tool
from remit_packs.support.database import Shop
from remit_packs.support.orders import order_tools
from remit_packs.support.products import product_tools
from remit_packs.support.tickets import ticket_tools
from remit_packs.support.troubleshooting import troubleshooting_tools


def support_tools(shop: Shop) -> dict[str, FunctionTool]:
    """The tools over one shop."""
    made = [
        *customer_tools(shop),
        send_email_tool(shop),
        *order_tools(shop),
        *change_tools(shop),
        *product_tools(shop),
        *ticket_tools(shop),
        *troubleshooting_tools(shop),
    ]
    return {tool.spec.name: tool for tool in made}
