"""The contract with guests, version 1, sans I/O: bytes to values and back."""
