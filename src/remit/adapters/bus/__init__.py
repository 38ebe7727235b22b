"""What the bus is given by AWS: queues of SQS, and the ways out by EventBridge and SNS."""
