"""Sources, their keys, tokens, and who is let in by them."""

import pytest
from tests.support.clock import FakeClock
from tests.support.storage import STRANGE_TEXTS, Place, deploy, wire

from guesthouse.errors import InvalidInput, NameTaken, NotFound
from guesthouse.model.registry import Kind, Role, SecretInput, SourceChange, SourceInput
from guesthouse.model.reply import Setting
from guesthouse.registry.sql import SqlRegistry
from guesthouse.registry.sql_tenant import SqlTenantRegistry

pytestmark = pytest.mark.anyio


async def test_a_write_key_leads_to_its_source(registry: SqlRegistry, tenant: SqlTenantRegistry) -> None:
    """And a hook token too, each for its own purpose."""
    source = await tenant.create_source(SourceInput(name="web"))
    assert await registry.source_by_write_key(source.write_key) == source
    assert await registry.source_by_hook_token(source.hook_token) == source
    assert await registry.source_by_write_key(source.hook_token) is None
    assert await registry.source_by_hook_token(source.write_key) is None


async def test_keys_can_not_be_guessed(tenant: SqlTenantRegistry) -> None:
    """They have 192 random bits and nothing in common."""
    sources = [await tenant.create_source(SourceInput(name=f"s{number}")) for number in range(5)]
    keys = {key for source in sources for key in (source.write_key, source.hook_token)}
    assert len(keys) == 10
    assert {len(key) for key in keys} == {36}


@pytest.mark.parametrize("text", STRANGE_TEXTS)
async def test_anything_else_opens_nothing(registry: SqlRegistry, tenant: SqlTenantRegistry, text: str) -> None:
    """Whatever is sent as a key or token."""
    await wire(tenant)
    assert await registry.source_by_write_key(text) is None
    assert await registry.source_by_hook_token(text) is None
    assert await registry.authenticate(text) is None


async def test_rotating_ends_the_old_key_at_once(registry: SqlRegistry, tenant: SqlTenantRegistry) -> None:
    """Unless an overlap was asked for; the other key stays."""
    source = await tenant.create_source(SourceInput(name="web"))
    rotated = await tenant.rotate_write_key(source.id)
    assert await registry.source_by_write_key(source.write_key) is None
    assert await registry.source_by_write_key(rotated.write_key) == rotated
    assert rotated.hook_token == source.hook_token


async def test_an_overlap_keeps_the_old_key_for_a_while(
    registry: SqlRegistry, tenant: SqlTenantRegistry, clock: FakeClock
) -> None:
    """Both open until it is over, also where the old one was cached."""
    source = await tenant.create_source(SourceInput(name="web"))
    rotated = await tenant.rotate_hook_token(source.id, overlap_ms=10_000)
    assert await registry.source_by_hook_token(source.hook_token) == rotated
    clock.advance(9_000)
    assert await registry.source_by_hook_token(source.hook_token) == rotated
    clock.advance(1_000)
    assert await registry.source_by_hook_token(source.hook_token) is None
    assert await registry.source_by_hook_token(rotated.hook_token) == rotated


async def test_only_one_old_key_goes_on(registry: SqlRegistry, tenant: SqlTenantRegistry) -> None:
    """Rotating twice ends the first one: leaked keys don't pile up."""
    source = await tenant.create_source(SourceInput(name="web"))
    second = await tenant.rotate_write_key(source.id, overlap_ms=10_000)
    await tenant.rotate_write_key(source.id, overlap_ms=10_000)
    assert await registry.source_by_write_key(source.write_key) is None
    assert await registry.source_by_write_key(second.write_key) is not None


@pytest.mark.parametrize("overlap_ms", [-1, 31 * 24 * 3_600_000])
async def test_an_overlap_has_bounds(tenant: SqlTenantRegistry, overlap_ms: int) -> None:
    """An old key doesn't live for ever."""
    source = await tenant.create_source(SourceInput(name="web"))
    with pytest.raises(InvalidInput, match="overlap"):
        await tenant.rotate_write_key(source.id, overlap_ms=overlap_ms)


async def test_a_deleted_source_lets_nobody_in(registry: SqlRegistry, tenant: SqlTenantRegistry) -> None:
    """Its keys end with it, and destinations no longer listen to it."""
    source_id, destination_id = await wire(tenant)
    source = await tenant.source(source_id)
    assert await registry.source_by_write_key(source.write_key) == source
    await tenant.delete_source(source_id)
    assert await registry.source_by_write_key(source.write_key) is None
    assert (await tenant.destination(destination_id)).source_ids == ()


async def test_a_source_runs_its_function_with_settings(tenant: SqlTenantRegistry) -> None:
    """Settings, secrets and grants are checked and handed over as a destination's are."""
    secret = Setting(name="signing", type="string", secret=True)
    function, version = await deploy(tenant, "hook", secret, kind=Kind.SOURCE)
    wanted = SourceInput(name="shop", function_id=function.id, secrets={"signing": SecretInput(value="s3cret")})
    source = await tenant.create_source(wanted)
    assignment = await tenant.assignment(source.id)
    assert (assignment.holder, assignment.version) == (source, version)
    assert [secret.value for secret in assignment.capabilities.secrets] == ["s3cret"]


async def test_settings_need_a_function(tenant: SqlTenantRegistry) -> None:
    """A source without one has nothing to set."""
    with pytest.raises(InvalidInput, match="there is none"):
        await tenant.create_source(SourceInput(name="web", settings={"a": 1}))
    source = await tenant.create_source(SourceInput(name="web"))
    with pytest.raises(NotFound, match="function of the source"):
        await tenant.assignment(source.id)


async def test_a_source_is_renamed(tenant: SqlTenantRegistry) -> None:
    """Keys stay; a name that another has is taken."""
    source = await tenant.create_source(SourceInput(name="web"))
    await tenant.create_source(SourceInput(name="app"))
    changed = await tenant.change_source(source.id, SourceChange(name="site"))
    assert (changed.name, changed.write_key) == ("site", source.write_key)
    with pytest.raises(NameTaken):
        await tenant.change_source(source.id, SourceChange(name="app"))
    assert (await tenant.source("site")).id == source.id


async def test_a_token_is_shown_once_and_kept_as_a_hash(
    registry: SqlRegistry, tenant: SqlTenantRegistry, place: Place
) -> None:
    """Its bearer is known by it; its text is in no file."""
    token, text = await tenant.create_token("ci", Role.VIEWER)
    assert await registry.authenticate(text) == token
    assert list(await tenant.tokens()) == [token]
    files = [file for file in place.folder.rglob("*") if file.is_file()]
    assert not [file for file in files if text.encode() in file.read_bytes()]


async def test_a_revoked_token_is_worthless(registry: SqlRegistry, tenant: SqlTenantRegistry) -> None:
    """At once, also where it was cached."""
    token, text = await tenant.create_token("ci", Role.ADMIN)
    assert await registry.authenticate(text) == token
    await tenant.delete_token(token.id)
    assert await registry.authenticate(text) is None
