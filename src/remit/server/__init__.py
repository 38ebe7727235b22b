"""HTTP in, core values through, HTTP out; one file a noun."""
