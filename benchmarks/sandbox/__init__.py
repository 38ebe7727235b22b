"""What it costs to run code that nobody has read."""
