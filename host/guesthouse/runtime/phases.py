"""Work that is done in a guest at deploy only: describe it, and read the state that its initialisation reached."""

from guesthouse.runtime.capi import copy_out
from guesthouse.runtime.guest import Guest, Steps


def describe(guest: Guest) -> Steps[bytes]:
    """Call ``guesthouse_describe``; the bytes of its description."""
    yield from guest.call(b"guesthouse_describe", results=1)
    return guest.packed_result("the description")


def memory(guest: Guest) -> bytes:
    """Copy the whole memory."""
    size = guest.cell.lib.memory_data_size(guest.context, guest.scratch.p_memory)
    return copy_out(guest.address("memory", 0, size), size)


def global_bits(guest: Guest, name: str) -> int:
    """Read the raw bits of an exported global of a number type."""
    lib, scratch, encoded = guest.cell.lib, guest.scratch, name.encode()
    lib.instance_export_get(guest.context, scratch.p_instance, encoded, len(encoded), scratch.p_extern_extra)
    scratch.result.value = 0
    lib.global_get(guest.context, scratch.p_extra, scratch.p_result)
    return int(scratch.result.value)
