"""Stores of vectors."""
