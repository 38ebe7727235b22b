"""One team, written with each framework, for a suite that is the same for all."""
