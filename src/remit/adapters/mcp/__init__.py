"""Servers of the Model Context Protocol, over stdio and streamable HTTP, by the official SDK."""
