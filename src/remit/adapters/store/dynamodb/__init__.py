"""The store in DynamoDB: no servers, one transaction boundary, tables that a person can read. Needs the extra `aws`."""

from remit.adapters.store.dynamodb.store import DynamoStore as DynamoStore
