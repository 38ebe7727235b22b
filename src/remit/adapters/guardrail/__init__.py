"""Adapters of the guardrail port that need no service."""
