"""Adapters of the sandbox port: two on this machine (bubblewrap, monty), two elsewhere (E2B, AgentCore)."""
