"""Objects in buckets: files of this machine, or Amazon S3."""
