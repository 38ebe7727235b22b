"""Connections to databases, which the adapters that keep something there are given."""
