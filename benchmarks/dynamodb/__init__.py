"""How long the store in DynamoDB takes."""
