"""Adapters of the notifier port: a file a channel."""
