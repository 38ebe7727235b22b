"""What Step Functions calls in AWS: equivalents on this machine, and AWS itself."""
