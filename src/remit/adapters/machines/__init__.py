"""Adapters of the machines port."""
