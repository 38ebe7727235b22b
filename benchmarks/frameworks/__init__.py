"""What it costs a team of another framework to run as an agent of Remit."""
