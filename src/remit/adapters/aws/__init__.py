"""What the adapters over AWS are given: clients of its services."""
