"""Remit in AWS Lambda: one thin handler a file."""
