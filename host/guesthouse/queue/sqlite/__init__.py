"""The queue in one SQLite file: durable on one machine, shared by its processes.

How it is put together, from the file upwards: `schema` (tables, connections), `faults` (SQLite's errors in our words),
`ticks` (the clock that doesn't jump), `store` (what is known in memory about the file), `committer` (one transaction
for all that wait), then one module for each promise, and `backend`, which is the `Queue`.
"""

from guesthouse.queue.sqlite.backend import SqliteQueue, open_queue

__all__ = ["SqliteQueue", "open_queue"]
