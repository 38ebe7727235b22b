"""Adapters of the archive port."""
