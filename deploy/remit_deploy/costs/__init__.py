"""What a deployment costs in a month: what it costs idle, and what it costs for the usage that is assumed."""
