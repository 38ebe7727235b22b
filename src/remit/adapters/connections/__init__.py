"""Connections to other platforms: the broker of credentials, and how each kind of credential is got."""
