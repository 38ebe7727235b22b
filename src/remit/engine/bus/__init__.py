"""The event mesh on the store's records: publishing, subscriptions, delivery, dead letters, rules and waiting runs."""
