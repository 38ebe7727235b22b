"""Whole deployments, put together from constructs."""
