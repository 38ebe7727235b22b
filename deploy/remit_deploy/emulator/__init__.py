"""AWS on this machine: the pinned emulator, installed apart, started and stopped."""
