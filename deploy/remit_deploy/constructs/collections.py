"""Which collections a run writes and reads, and which only the control plane does."""

from __future__ import annotations

JOURNAL = ("run_head", "run_signal")
"""The store's own tables that change as a run goes on."""

APPENDED = ("journal", "content")
"""The store's own tables that only grow: nobody but the API, which forgets what a person asks to be forgotten, removes from them."""

WRITTEN_BY_RUNS = frozenset(
    {
        "agent_run",
        "agent_handoff",
        "approval_event",
        "tool_call",
        "cost",
        "envelope",
        "open_task",
        "bus_event",
        "bus_ready",
        "bus_parked_event",
        "bus_wait",
        "bus_claim",
        "bus_dead_letter",
        "workflow_item",
        "workflow_item_done",
        "session",
        "message",
        "workflow_step",
        "conversation_summary",
        "memory_fact",
        "memory_word",
        "shared_state",
        "connection_grant",
    }
)
"""What the journal's events become: records, events on the bus, the memory of a conversation; and what agents remember."""

READ_BY_RUNS = frozenset(
    {
        "definition_head",
        "definition_version",
        "bus_subscription",
        "bus_revision",
        "document",
        "document_version",
        "document_library",
    }
)
"""The registry, whose versions a run is pinned to, who listens to what, and the documents that agents search."""

CONTROL_PLANE = frozenset(
    {
        "table_registry",
        "validation_types",
        "table_validations",
        "validation_runs",
        "validation_day",
        "notifier_config",
        "notification",
        "incident",
        "record_change",
        "schedule",
        "definition_change",
    }
)
"""Tables and their validations: for agents of `control_plane`, the API and the tick."""

KEYS = frozenset({"api_key"})
"""Who may call the API: for the API alone."""

SESSIONS = frozenset({"web_session"})
"""Who is signed in to the console: for the API alone."""

VIEWS = frozenset({"saved_view"})
"""What people look at often in the console: for the API alone."""
