"""Who people are, as somebody else vouches for it."""
