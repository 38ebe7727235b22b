"""The console with more in it than a person would make by hand, beside what others show of the same."""
