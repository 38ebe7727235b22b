"""How fast and how large a Lambda function with an agent is, ours beside the peers'."""
