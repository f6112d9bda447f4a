"""Frozen values and pure rules: what the parts of Guesthouse speak about."""
