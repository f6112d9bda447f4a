"""Other tenants' things do not exist, and strange texts are only texts."""

from collections.abc import Awaitable, Callable

import pytest
from tests.support.storage import MODULE, STRANGE_TEXTS, deploy, described, wire

from guesthouse.errors import CallerError, NotFound
from guesthouse.model.registry import (
    DestinationChange,
    DestinationInput,
    Kind,
    Role,
    SecretInput,
    SourceChange,
    SourceInput,
)
from guesthouse.model.reply import Setting
from guesthouse.registry.sql import SqlRegistry
from guesthouse.registry.sql_tenant import SqlTenantRegistry

pytestmark = pytest.mark.anyio

Deed = Callable[[SqlTenantRegistry, str], Awaitable[object]]

FUNCTION_DEEDS: list[Deed] = [
    lambda mine, theirs: mine.function(theirs),
    lambda mine, theirs: mine.versions(theirs),
    lambda mine, theirs: mine.version(theirs, "0" * 64),
    lambda mine, theirs: mine.add_version(theirs, MODULE, described()),
    lambda mine, theirs: mine.activate(theirs, "0" * 64),
    lambda mine, theirs: mine.roll_back(theirs),
    lambda mine, theirs: mine.delete_function(theirs),
    lambda mine, theirs: mine.create_destination(DestinationInput(name="x", function_id=theirs)),
    lambda mine, theirs: mine.create_source(SourceInput(name="x", function_id=theirs)),
]
SOURCE_DEEDS: list[Deed] = [
    lambda mine, theirs: mine.source(theirs),
    lambda mine, theirs: mine.change_source(theirs, SourceChange(name="x")),
    lambda mine, theirs: mine.rotate_write_key(theirs),
    lambda mine, theirs: mine.rotate_hook_token(theirs),
    lambda mine, theirs: mine.delete_source(theirs),
    lambda mine, theirs: mine.assignment(theirs),
]
DESTINATION_DEEDS: list[Deed] = [
    lambda mine, theirs: mine.destination(theirs),
    lambda mine, theirs: mine.change_destination(theirs, DestinationChange(is_paused=True)),
    lambda mine, theirs: mine.delete_destination(theirs),
    lambda mine, theirs: mine.assignment(theirs),
]


@pytest.mark.parametrize("deed", FUNCTION_DEEDS)
async def test_another_tenants_function_is_not_found(
    tenant: SqlTenantRegistry, stranger: SqlTenantRegistry, deed: Deed
) -> None:
    """As if it didn't exist, and it stays as it was."""
    function, _ = await deploy(tenant)
    with pytest.raises(NotFound):
        await deed(stranger, function.id)
    assert await tenant.function(function.id) == function


@pytest.mark.parametrize("deed", SOURCE_DEEDS)
async def test_another_tenants_source_is_not_found(
    tenant: SqlTenantRegistry, stranger: SqlTenantRegistry, deed: Deed
) -> None:
    """As if it didn't exist, and it stays as it was."""
    source = await tenant.create_source(SourceInput(name="web"))
    with pytest.raises(NotFound):
        await deed(stranger, source.id)
    assert await tenant.source(source.id) == source


@pytest.mark.parametrize("deed", DESTINATION_DEEDS)
async def test_another_tenants_destination_is_not_found(
    tenant: SqlTenantRegistry, stranger: SqlTenantRegistry, deed: Deed
) -> None:
    """As if it didn't exist, and it stays as it was, also once its owner's answer is cached."""
    _, destination_id = await wire(tenant)
    await tenant.assignment(destination_id)
    before = await tenant.destination(destination_id)
    with pytest.raises(NotFound):
        await deed(stranger, destination_id)
    assert await tenant.destination(destination_id) == before


async def test_lists_show_ones_own(tenant: SqlTenantRegistry, stranger: SqlTenantRegistry) -> None:
    """Nothing of anybody else's."""
    source_id, destination_id = await wire(tenant)
    await tenant.create_token("ci", Role.ADMIN)
    assert await tenant.routes(source_id)
    lists = (stranger.functions(), stranger.sources(), stranger.destinations(), stranger.tokens())
    assert not [item for one in lists for item in await one]
    assert not await stranger.routes(source_id)
    assert not await stranger.has_secret(destination_id, "key", "x")


async def test_one_listens_to_ones_own_sources_only(tenant: SqlTenantRegistry, stranger: SqlTenantRegistry) -> None:
    """Naming another tenant's source as one's own is refused, when making a destination and when changing it."""
    source_id, _ = await wire(tenant)
    function, _ = await deploy(stranger)
    with pytest.raises(NotFound):
        await stranger.create_destination(
            DestinationInput(name="spy", function_id=function.id, source_ids=(source_id,))
        )
    spy = await stranger.create_destination(DestinationInput(name="spy", function_id=function.id))
    with pytest.raises(NotFound):
        await stranger.change_destination(spy.id, DestinationChange(source_ids=(source_id,)))
    assert len(await tenant.routes(source_id)) == 1


async def test_an_unknown_tenant_owns_nothing(registry: SqlRegistry) -> None:
    """Nor can anything be made for it."""
    nobody = registry.within("tnt_nobody")
    assert not await nobody.functions()
    with pytest.raises(NotFound, match="tenant"):
        await nobody.create_function("poster", Kind.DESTINATION)
    assert not await nobody.functions()


@pytest.mark.parametrize("text", STRANGE_TEXTS)
async def test_strange_texts_are_only_texts(registry: SqlRegistry, tenant: SqlTenantRegistry, text: str) -> None:
    """In every field: kept as they are or refused by a `CallerError`, and everything else is as before."""
    setting = Setting(name="note", type="string")
    secret = Setting(name="key", type="string", secret=True)
    function, version = await deploy(tenant, "poster", setting, secret)
    deeds: list[Callable[[], Awaitable[object]]] = [
        lambda: registry.create_tenant(text),
        lambda: registry.tenant(text),
        lambda: registry.within(text).functions(),
        lambda: tenant.create_function(text, Kind.SOURCE),
        lambda: tenant.function(text),
        lambda: tenant.version(function.id, text),
        lambda: tenant.activate(function.id, text),
        lambda: tenant.create_source(SourceInput(name=text)),
        lambda: tenant.source(text),
        lambda: tenant.create_token(text, Role.VIEWER),
        lambda: tenant.delete_token(text),
        lambda: tenant.routes(text),
        lambda: tenant.has_secret(text, text, text),
        lambda: tenant.create_destination(
            DestinationInput(
                name="crm",
                function_id=function.id,
                settings={"note": text},
                secrets={"key": SecretInput(value=text)},
            )
        ),
        lambda: tenant.create_destination(DestinationInput(name="b", function_id=function.id, grants=(text,))),
        lambda: tenant.create_destination(DestinationInput(name="c", function_id=function.id, settings={text: text})),
        lambda: tenant.create_destination(DestinationInput(name="d", function_id=function.id, source_ids=(text,))),
    ]
    for deed in deeds:
        try:
            await deed()
        except CallerError:
            continue
    kept = [one for one in await tenant.destinations() if one.name == "crm"]
    assert [one.settings for one in kept] in ([], [{"note": text}])
    for one in kept:
        assert await tenant.has_secret(one.id, "key", text)
    assert await tenant.function("poster") == function
    assert await tenant.version(function.id, version.digest) == version
