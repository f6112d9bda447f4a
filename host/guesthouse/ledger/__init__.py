"""The ledger: what did happen, append only."""
