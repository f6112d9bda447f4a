"""The process of one contender: ``python -m tests.bench.contender MODULE [ARGUMENT ...]``.

Each line on standard input is a number of operations; the answer is the time that they took, wall clock and CPU of
the whole process.
"""

import gc
import sys
from importlib import import_module
from time import perf_counter, process_time

import msgspec
from tests.bench.contest import Lap


def main(name: str, *arguments: str) -> None:
    """Set the contender up, say so, and run bursts until standard input ends."""
    module = import_module(f"tests.bench.contenders.{name}")
    with module.opened(*arguments) as burst:
        print("ready", flush=True)
        for line in sys.stdin:
            gc.collect()
            began, cpu_began = perf_counter(), process_time()
            burst(int(line))
            lap = Lap(wall=perf_counter() - began, cpu=process_time() - cpu_began)
            print(msgspec.json.encode(lap).decode(), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
