"""The same nouns from a terminal. Data goes to stdout, talk to stderr; heavy imports happen where they are used."""
