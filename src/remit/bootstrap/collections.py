"""Every collection of records, by which any store makes its tables."""

from __future__ import annotations

from remit.adapters.connections import grants
from remit.adapters.services.items import service as service_items
from remit.engine import (
    controlplane,
    costs,
    documents,
    envelopes,
    keys,
    memories,
    records,
    remembering,
    saved_views,
    sessions,
    shared_state,
    versions,
)
from remit.engine.bus import records as bus_records
from remit.engine.workflows import callbacks
from remit.ports.store import Collection

COLLECTIONS: tuple[Collection, ...] = (
    *records.COLLECTIONS,
    envelopes.COLLECTION,
    costs.COLLECTION,
    callbacks.COLLECTION,
    *keys.COLLECTIONS,
    *sessions.COLLECTIONS,
    *versions.COLLECTIONS,
    *controlplane.COLLECTIONS,
    *remembering.COLLECTIONS,
    *memories.COLLECTIONS,
    *shared_state.COLLECTIONS,
    *documents.COLLECTIONS,
    *bus_records.COLLECTIONS,
    *service_items.COLLECTIONS,
    *grants.COLLECTIONS,
    saved_views.COLLECTION,
)
