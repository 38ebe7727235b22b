"""Ways to whoever advances runs."""
