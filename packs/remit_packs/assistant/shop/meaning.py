"""What the tables and columns of the shop mean, for engines that keep comments and for `Database(notes=...)`."""

from __future__ import annotations

NOTES = {
    "categories": "A tree of categories, the same for all",
    "categories.parent_id": "The category above; empty at the top",
    "customers": "Everybody who has an account",
    "customers.segment": "consumer, business or public",
    "products": "What is sold",
    "products.price": "The price today, in EUR; what was paid stands in order_items",
    "products.cost": "What one piece costs the shop, in EUR",
    "products.stock": "Pieces in the warehouse",
    "orders": "One row an order, whatever became of it",
    "orders.status": "paid, shipped, delivered, cancelled or returned",
    "orders.channel": "web, app or store",
    "orders.total": "In EUR: the lines less discounts, and shipping",
    "order_items": "The lines of an order",
    "order_items.unit_price": "In EUR, when it was ordered",
    "order_items.discount": "In EUR, off the whole line",
    "payments": "Attempts to pay; an order may have a failed one before the one that counts",
    "payments.status": "captured, failed, void or refunded",
    "shipments": "Parcels on their way or arrived",
    "shipments.delivered_on": "Empty while it is on its way",
    "reviews": "What customers think of products",
    "reviews.rating": "1 to 5, 5 is best",
}
