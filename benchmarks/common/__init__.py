"""What every benchmark shares: measuring, and the bank whose ledger says which effects really happened."""
