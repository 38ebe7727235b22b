"""Workflows that AWS Step Functions moves, as runs like any other."""
