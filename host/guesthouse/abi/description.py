"""What ``guesthouse_describe`` answered: bytes to a `Description`, or `BrokenContract`."""

from typing import Annotated, Final

from msgspec import Meta, Struct
from msgspec.msgpack import Decoder

from guesthouse.abi.bounds import check
from guesthouse.abi.contract import (
    ABI_VERSION,
    MAX_DESCRIPTION_VALUES,
    MAX_NAME_LENGTH,
    MAX_SETTINGS,
    MAX_TEXT_LENGTH,
    Handler,
    Kind,
    SettingType,
)
from guesthouse.abi.decoding import decode, refuse_repetition
from guesthouse.errors import BrokenContract
from guesthouse.model.reply import Description, Setting

Name = Annotated[str, Meta(min_length=1, max_length=MAX_NAME_LENGTH)]
Text = Annotated[str, Meta(max_length=MAX_TEXT_LENGTH)]


class _Setting(Struct):
    name: Name
    type: SettingType
    label: Text | None = None
    description: Text | None = None
    required: bool | None = None
    secret: bool | None = None


class _Description(Struct):
    abi: int
    sdk: Name
    language: Name
    kind: Kind
    handlers: list[Handler]
    settings: Annotated[list[_Setting], Meta(max_length=MAX_SETTINGS)] | None = None


_description: Final = Decoder(_Description)


def decode_description(data: bytes | memoryview) -> Description:
    """Decode a description; raise `BrokenContract` naming the fault and its place, whatever the bytes."""
    data = bytes(data)
    check(data, "description", MAX_DESCRIPTION_VALUES)
    told = decode(_description, data, "description")
    settings = told.settings or []
    if told.abi != ABI_VERSION:
        raise BrokenContract(f"description.abi: {told.abi} is not the version that this host speaks, {ABI_VERSION}")
    refuse_repetition(told.handlers, "description.handlers")
    refuse_repetition((setting.name for setting in settings), "description.settings")
    return Description(
        abi=told.abi,
        sdk=told.sdk,
        language=told.language,
        kind=told.kind,
        handlers=tuple(told.handlers),
        settings=tuple(map(_to_setting, settings)),
    )


def _to_setting(setting: _Setting) -> Setting:
    return Setting(
        name=setting.name,
        type=setting.type,
        label=setting.label,
        description=setting.description,
        required=bool(setting.required),
        secret=bool(setting.secret),
    )
