"""The durable queue: a protocol, and one folder for each backend."""
