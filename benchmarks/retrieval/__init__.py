"""Retrieval: quality on corpora with known answers, and speed beside other stores of vectors."""
