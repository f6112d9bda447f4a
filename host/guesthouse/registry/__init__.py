"""The registry: what exists, for whom, and how it is set up."""
