"""What the functions run, as one directory: Remit, the user's app, and only the packages that both need. No Docker."""
