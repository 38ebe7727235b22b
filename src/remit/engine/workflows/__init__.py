"""Workflows: the interpreter of the States Language on the journal, and what its Tasks call."""
