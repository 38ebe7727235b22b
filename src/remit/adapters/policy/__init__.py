"""Policy engines and the files they read."""
