"""Two large tables that differ a little, and who finds the difference: Remit, its peers, and SQL written by hand."""
