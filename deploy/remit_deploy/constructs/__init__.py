"""Parts of a deployment, each encrypted, logged, traced and alarmed by default."""
