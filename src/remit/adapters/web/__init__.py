"""Adapters of the web port: search, pages, and requests to the addresses that a deployment allows."""
