"""Functions, versions and which one is active."""

import hashlib

import pytest
from tests.support.storage import MODULE, deploy, described

from guesthouse.errors import InUse, InvalidInput, MissingModule, NameTaken, NoEarlierVersion, NotFound
from guesthouse.model.registry import DestinationInput, Kind
from guesthouse.model.reply import Setting
from guesthouse.registry.sql import SqlRegistry
from guesthouse.registry.sql_tenant import SqlTenantRegistry

pytestmark = pytest.mark.anyio


async def test_a_version_is_named_by_what_it_is(registry: SqlRegistry, tenant: SqlTenantRegistry) -> None:
    """Its digest is the module's sha256; the bytes come back verified."""
    function = await tenant.create_function("poster", Kind.DESTINATION)
    version = await tenant.add_version(function.id, MODULE, described(), language="C 17", why_not_snapshotted="tables")
    assert version.digest == hashlib.sha256(MODULE).hexdigest()
    assert await tenant.version(function.id, version.digest) == version
    assert await registry.module(version.digest) == MODULE
    assert registry.module_path(version.digest).read_bytes() == MODULE


async def test_the_same_bytes_are_the_same_version(tenant: SqlTenantRegistry) -> None:
    """Uploading twice makes one version, as it was first described."""
    function = await tenant.create_function("poster", Kind.DESTINATION)
    first = await tenant.add_version(function.id, MODULE, described())
    again = await tenant.add_version(function.id, MODULE, described(handlers=("onPage",)))
    assert again == first
    assert list(await tenant.versions(function.id)) == [first]


async def test_uploading_activates_nothing(tenant: SqlTenantRegistry) -> None:
    """A new build runs when it is activated, not before."""
    function = await tenant.create_function("poster", Kind.DESTINATION)
    await tenant.add_version(function.id, MODULE, described())
    assert (await tenant.function("poster")).active_version is None


async def test_rolling_back_goes_back_step_by_step(tenant: SqlTenantRegistry) -> None:
    """From C to B to A, and no further; activating the active one is no step."""
    function, first = await deploy(tenant)
    later = [await tenant.add_version(function.id, MODULE + mark, described()) for mark in (b"B", b"C")]
    for version in (*later, later[-1]):
        await tenant.activate(function.id, version.digest)
    back = [(await tenant.roll_back(function.id)).function.active_version for _ in range(2)]
    assert back == [later[0].digest, first.digest]
    with pytest.raises(NoEarlierVersion):
        await tenant.roll_back(function.id)


async def test_activation_names_the_settings_that_no_longer_fit(tenant: SqlTenantRegistry) -> None:
    """It happens all the same: the destination can only be mended once the new version is the active one."""
    function, _ = await deploy(tenant)
    await tenant.create_destination(DestinationInput(name="crm", function_id=function.id))
    demanding = described(Setting(name="region", type="string", required=True))
    version = await tenant.add_version(function.id, MODULE + b"2", demanding)
    done = await tenant.activate(function.id, version.digest)
    assert done.problems == ("destination 'crm': the setting 'region' is missing",)
    assert done.function.active_version == version.digest


async def test_a_module_of_another_kind_is_refused(tenant: SqlTenantRegistry) -> None:
    """A source function doesn't become a version of a destination function."""
    function = await tenant.create_function("poster", Kind.DESTINATION)
    with pytest.raises(InvalidInput, match="is a source function"):
        await tenant.add_version(function.id, MODULE, described(kind="source"))


async def test_names_are_unique_within_a_tenant(tenant: SqlTenantRegistry, stranger: SqlTenantRegistry) -> None:
    """Another tenant may use the same."""
    await tenant.create_function("poster", Kind.DESTINATION)
    with pytest.raises(NameTaken):
        await tenant.create_function("poster", Kind.SOURCE)
    assert (await stranger.create_function("poster", Kind.SOURCE)).name == "poster"


async def test_a_function_at_work_is_not_deleted(tenant: SqlTenantRegistry) -> None:
    """Whoever uses it is named; without users it goes, versions and all."""
    function, version = await deploy(tenant)
    destination = await tenant.create_destination(DestinationInput(name="crm", function_id=function.id))
    with pytest.raises(InUse, match="destination 'crm'"):
        await tenant.delete_function(function.id)
    await tenant.delete_destination(destination.id)
    await tenant.delete_function(function.id)
    for question in (tenant.function(function.id), tenant.version(function.id, version.digest)):
        with pytest.raises(NotFound):
            await question


async def test_a_damaged_module_is_never_handed_out(registry: SqlRegistry, tenant: SqlTenantRegistry) -> None:
    """A file that was changed or is gone is an operator's error; uploading again mends it."""
    function, version = await deploy(tenant)
    registry.module_path(version.digest).write_bytes(b"\0asm evil")
    with pytest.raises(MissingModule):
        await registry.module(version.digest)
    await tenant.add_version(function.id, MODULE + b"poster", described())
    assert await registry.module(version.digest) == MODULE + b"poster"


@pytest.mark.parametrize("name", ["", " ", "a ", "a\nb", "\0", "half \ud800", "e\u0301", "x" * 101])
async def test_names_that_nobody_can_read_are_refused(tenant: SqlTenantRegistry, name: str) -> None:
    """Empty, blank at an end, unprintable, spelled in a second way, or too long."""
    with pytest.raises(InvalidInput):
        await tenant.create_function(name, Kind.DESTINATION)
