"""One file per engine: how the questions of `base` are asked there."""
