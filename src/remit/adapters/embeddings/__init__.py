"""Models of embeddings."""
