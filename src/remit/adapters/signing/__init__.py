"""Signers of exported audit files."""
