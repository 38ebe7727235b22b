"""Search in pages at hand, beside what one would use without it."""
