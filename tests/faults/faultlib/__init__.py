"""What the fault tests share: a program to kill, a driver that kills it, and the invariants."""
