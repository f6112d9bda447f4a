"""Which events a destination wants, beside having a handler for them."""

from msgspec import Struct

from guesthouse.model.event import EVENT_TYPES


class Filter(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Event types and names; an empty list wants them all."""

    types: tuple[str, ...] = ()
    """Of `guesthouse.model.event.EVENT_TYPES`."""
    names: tuple[str, ...] = ()
    """Compared exactly with `guesthouse.model.event.Event.name`; where given, events without a name are not wanted."""

    def why_not(self, type_: str, name: str | None) -> str | None:
        """Say why an event isn't wanted; None where it is."""
        if self.types and type_ not in self.types:
            return "filtered_type"
        if self.names and name not in self.names:
            return "filtered_name"
        return None

    def problems(self) -> list[str]:
        """Say what is wrong with the filter itself."""
        return [
            f"the filter's type {one!r:.60} is none of {', '.join(EVENT_TYPES)}"
            for one in self.types
            if one not in EVENT_TYPES
        ]


EVERYTHING = Filter()
