"""The world: a folder per port, a file per vendor. Adapters take plain arguments and know nobody else."""
