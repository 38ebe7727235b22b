"""What happens: runs advance, agents loop, effects are decided, recorded, done and recorded again."""
