"""HTTP in, HTTP out: parses and answers, decides nothing. What decides stands behind `guesthouse.api.ports`."""
