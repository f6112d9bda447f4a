"""What a guest tells about itself before it ever runs."""

import msgpack

from guesthouse.abi.contract import HANDLERS, KINDS, SETTING_TYPES
from guesthouse.abi.description import decode_description
from guesthouse.model.reply import Description, Setting

_BARE = {"abi": 1, "sdk": "none", "language": "wat", "kind": "destination", "handlers": ["onTrack"]}


def _describe(**fields: object) -> Description:
    return decode_description(msgpack.packb({**_BARE, **fields}))


def test_a_description_is_read_whole() -> None:
    """What is left out of a setting is None or False."""
    told = _describe(
        settings=[
            {"name": "key", "type": "string", "label": "Key", "description": "Yours", "required": True, "secret": True},
            {"name": "size", "type": "number", "label": None, "required": None},
        ],
    )
    assert told == Description(
        abi=1,
        sdk="none",
        language="wat",
        kind="destination",
        handlers=("onTrack",),
        settings=(
            Setting(name="key", type="string", label="Key", description="Yours", required=True, secret=True),
            Setting(name="size", type="number"),
        ),
    )


def test_every_known_word_is_understood() -> None:
    """All handlers, kinds and types of settings."""
    assert _describe(handlers=list(HANDLERS)).handlers == HANDLERS
    assert [_describe(kind=kind).kind for kind in KINDS] == list(KINDS)
    settings = _describe(settings=[{"name": kind, "type": kind} for kind in SETTING_TYPES]).settings
    assert tuple(setting.type for setting in settings) == SETTING_TYPES


def test_settings_and_handlers_may_be_none() -> None:
    """A function needs no settings, and one that handles nothing is for others to judge."""
    assert _describe(settings=None, handlers=[]) == _describe(handlers=[])
