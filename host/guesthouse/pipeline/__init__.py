"""Verbs: what happens to an event between the door and the ledger."""
