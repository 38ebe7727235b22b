"""DynamoDB items in the store of this machine."""
