"""Model providers: a file per wire format. Each passes `remit.testing.contracts.model`."""
