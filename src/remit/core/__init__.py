"""What is true: the words of the platform and the pure rules over them. No I/O, no clock, no vendor."""
