"""Deploying Remit to AWS: constructs, templates and what `remit deploy` does with them."""
