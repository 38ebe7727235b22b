"""What the engine asks of the world, each as a small Protocol that an adapter fulfils."""
