"""Destinations: what they are checked against, and what running them needs."""

import msgspec
import pytest
from tests.support.clock import FakeClock
from tests.support.storage import Place, deploy, wire

from guesthouse.errors import InvalidInput, NotFound, UnreadableSecret
from guesthouse.model.capability import Exposure, Secret
from guesthouse.model.filter import Filter
from guesthouse.model.registry import Batching, DestinationChange, DestinationInput, Kind, SecretInput, SourceInput
from guesthouse.model.reply import Setting
from guesthouse.registry.sql import SqlRegistry
from guesthouse.registry.sql_tenant import SqlTenantRegistry

pytestmark = pytest.mark.anyio

SETTINGS = (
    Setting(name="region", type="string", required=True),
    Setting(name="size", type="number"),
    Setting(name="tags", type="array"),
    Setting(name="key", type="string", secret=True, required=True),
)
KEY = SecretInput(value="correct horse")


def crm(function_id: str, **fields: object) -> DestinationInput:
    """Describe a destination that fits `SETTINGS`."""
    given = {"settings": {"region": "eu"}, "secrets": {"key": KEY}} | fields
    return DestinationInput(name="crm", function_id=function_id, **given)  # type: ignore[arg-type] # each test's own


async def test_what_goes_in_comes_out(tenant: SqlTenantRegistry) -> None:
    """But for the values of secrets."""
    function, _ = await deploy(tenant, "poster", *SETTINGS)
    source = await tenant.create_source(SourceInput(name="web"))
    fields = {
        "source_ids": (source.id,),
        "settings": {"region": "eu", "size": 1.5, "tags": ["a", {"b": None}]},
        "grants": ("GET,POST https://api.example.com/v1", "http://*.example.org secrets-over-http"),
        "limits": {"deadline_ms": 30_000},
        "filter": Filter(types=("track",), names=("Order Completed",)),
        "batching": Batching(events=10),
        "is_paused": True,
    }
    made = await tenant.create_destination(crm(function.id, **fields))
    assert {name: getattr(made, name) for name in fields} == fields
    assert [await tenant.destination("crm"), *await tenant.destinations()] == [made, made]
    assert KEY.value not in msgspec.json.encode(made).decode()


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"settings": {}}, "'region' is missing"),
        ({"settings": {"region": None}}, "'region' is not of the type string"),
        ({"settings": {"region": 5}}, "'region' is not of the type string"),
        ({"settings": {"region": "eu", "size": True}}, "'size' is not of the type number"),
        ({"settings": {"region": "eu", "size": float("nan")}}, "'size' is not plain data"),
        ({"settings": {"region": "eu", "size": 1 << 70}}, "'size' is not plain data"),
        ({"settings": {"region": "eu", "regoin": "eu"}}, "no setting 'regoin'"),
        ({"settings": {"region": "eu", "key": "correct horse"}}, "'key' is given as a secret and once more"),
        ({"settings": {"region": "eu", "key": "correct horse"}, "secrets": {}}, "'key' is a secret; give it as one"),
        ({"settings": {"region": "x" * 70_000}}, "'region' is larger than"),
        ({"settings": {"region": "half \ud800"}}, "'region' is not plain data"),
        ({"secrets": {}}, "'key' is missing"),
        ({"secrets": {"key": KEY, "kye": KEY}}, "no setting 'kye'"),
        ({"secrets": {"key": KEY, "size": KEY}}, "'size' is of the type number, and secrets are strings"),
        ({"secrets": {"key": SecretInput(value="")}}, "'key' has no value"),
        ({"secrets": {"key": SecretInput(value="a\0b")}}, "'key' has no value"),
        ({"secrets": {"key": SecretInput(value="x", hosts=("*.com",))}}, "too wide"),
        ({"grants": ("ftp://example.com",)}, "neither http nor https"),
        ({"grants": ("GET POST https://example.com",)}, "is not written as"),
        ({"grants": ("https://example.com",) * 101}, "101 grants; 100 are allowed"),
        ({"limits": {"feul": 5}}, "no limit 'feul'"),
        ({"limits": {"deadline_ms": 60_001}}, "deadline_ms is not from 1 to 60,000"),
        ({"limits": {"fuel": 0}}, "fuel is not from 1"),
        ({"filter": Filter(types=("trakc",))}, "'trakc' is none of"),
        ({"batching": Batching(events=0)}, "events is not from 1"),
    ],
)
async def test_what_does_not_fit_is_refused(tenant: SqlTenantRegistry, fields: dict[str, object], problem: str) -> None:
    """By a message that names it, and nothing is stored; a secret's value is in no message."""
    function, _ = await deploy(tenant, "poster", *SETTINGS)
    with pytest.raises(InvalidInput) as refusal:
        await tenant.create_destination(crm(function.id, **fields))
    assert problem in str(refusal.value)
    assert KEY.value not in str(refusal.value)
    assert not await tenant.destinations()


async def test_nesting_without_end_is_refused(tenant: SqlTenantRegistry) -> None:
    """A setting as deep as the stack is a problem, no crash."""
    function, _ = await deploy(tenant, "poster", *SETTINGS)
    deep: list[object] = []
    for _ in range(100_000):
        deep = [deep]
    with pytest.raises(InvalidInput, match="nested deeper"):
        await tenant.create_destination(crm(function.id, settings={"region": "eu", "tags": deep}))
    while deep:
        deep = deep.pop()  # type: ignore[assignment] # taken apart by hand: freeing it at once is deep as well


async def test_every_problem_is_named_at_once(tenant: SqlTenantRegistry) -> None:
    """Whoever mends one isn't sent back for the next."""
    function, _ = await deploy(tenant, "poster", *SETTINGS)
    with pytest.raises(InvalidInput) as refusal:
        await tenant.create_destination(crm(function.id, settings={"a": 1, "b": 2}, secrets={}))
    assert len(refusal.value.problems) == 4


async def test_a_function_of_another_kind_is_refused(tenant: SqlTenantRegistry) -> None:
    """A destination runs a destination function."""
    function, _ = await deploy(tenant, "hook", kind=Kind.SOURCE)
    with pytest.raises(InvalidInput, match="is a source function"):
        await tenant.create_destination(DestinationInput(name="crm", function_id=function.id))


async def test_changing_replaces_what_is_given(tenant: SqlTenantRegistry, clock: FakeClock) -> None:
    """And keeps the rest, secrets included."""
    function, _ = await deploy(tenant, "poster", *SETTINGS)
    made = await tenant.create_destination(crm(function.id, grants=("https://a.example.com",)))
    clock.advance(5_000)
    changed = await tenant.change_destination(
        made.id, DestinationChange(name="erp", settings={"region": "us"}, is_paused=True)
    )
    expected = msgspec.structs.replace(
        made, name="erp", settings={"region": "us"}, is_paused=True, updated_at_ms=made.updated_at_ms + 5_000
    )
    assert changed == expected
    assert await tenant.has_secret(made.id, "key", KEY.value)


async def test_the_same_again_changes_nothing(
    registry: SqlRegistry, tenant: SqlTenantRegistry, clock: FakeClock
) -> None:
    """Neither the times nor the revision: applying a file twice is applying it once."""
    function, _ = await deploy(tenant, "poster", *SETTINGS)
    made = await tenant.create_destination(crm(function.id))
    clock.advance(5_000)
    before = await registry.revision()
    same = DestinationChange(name="crm", function_id=function.id, settings={"region": "eu"}, secrets={"key": KEY})
    assert await tenant.change_destination(made.id, same) == made
    clock.advance(5_000)
    assert await registry.revision() == before


async def test_a_secret_is_replaced_and_deleted_by_name(tenant: SqlTenantRegistry) -> None:
    """None deletes; what is required can't be deleted."""
    optional = Setting(name="other", type="string", secret=True)
    function, _ = await deploy(tenant, "poster", *SETTINGS, optional)
    made = await tenant.create_destination(crm(function.id, secrets={"key": KEY, "other": SecretInput(value="o")}))
    change = DestinationChange(secrets={"key": SecretInput(value="new"), "other": None})
    changed = await tenant.change_destination(made.id, change)
    assert [secret.name for secret in changed.secrets] == ["key"]
    assert await tenant.has_secret(made.id, "key", "new")
    with pytest.raises(InvalidInput, match="'key' is missing"):
        await tenant.change_destination(made.id, DestinationChange(secrets={"key": None}))


async def test_an_assignment_has_all_that_running_needs(tenant: SqlTenantRegistry) -> None:
    """Version, settings, grants, limits, and secrets in clear: without hosts of their own, bound to the grants'."""
    function, version = await deploy(tenant, "poster", *SETTINGS)
    wanted = crm(function.id, grants=("https://a.example.com",), limits={"fuel": 5})
    made = await tenant.create_destination(wanted)
    assignment = await tenant.assignment(made.id)
    assert (assignment.holder, assignment.version) == (made, version)
    assert assignment.settings == {"region": "eu"}
    assert assignment.limits.fuel == 5
    secret = Secret(name="key", value=KEY.value, exposure=Exposure.REFERENCE, hosts=("a.example.com",))
    assert assignment.capabilities.secrets == (secret,)
    assert str(assignment.capabilities.grants[0]) == "https://a.example.com/"


async def test_secrets_are_encrypted_at_rest(tenant: SqlTenantRegistry, place: Place) -> None:
    """Their values are in no file of the data directory."""
    function, _ = await deploy(tenant, "poster", *SETTINGS)
    await tenant.create_destination(crm(function.id))
    files = [file for file in place.folder.rglob("*") if file.is_file()]
    assert not [file for file in files if KEY.value.encode() in file.read_bytes()]


async def test_another_key_opens_nothing(tenant: SqlTenantRegistry, place: Place) -> None:
    """A host without the key says so, by the secret's name and the key's id."""
    function, _ = await deploy(tenant, "poster", *SETTINGS)
    made = await tenant.create_destination(crm(function.id))
    other = await SqlRegistry.open(place.url, place.folder, secret_key="aa" * 32)
    with pytest.raises(UnreadableSecret, match="'key' can't be decrypted"):
        await other.within(tenant.tenant_id).assignment(made.id)
    await other.close()


async def test_without_an_active_version_there_is_no_assignment(tenant: SqlTenantRegistry) -> None:
    """And its routes say so."""
    function = await tenant.create_function("poster", Kind.DESTINATION)
    source = await tenant.create_source(SourceInput(name="web"))
    made = await tenant.create_destination(crm(function.id, source_ids=(source.id,)))
    with pytest.raises(NotFound, match="active version"):
        await tenant.assignment(made.id)
    (route,) = await tenant.routes(source.id)
    assert route.why_not("track", "x") == "no_active_version"


async def test_routes_are_the_destinations_that_listen(tenant: SqlTenantRegistry) -> None:
    """Paused ones as well: their deliveries wait."""
    source_id, destination_id = await wire(tenant)
    deaf = await tenant.create_source(SourceInput(name="app"))
    await tenant.change_destination(destination_id, DestinationChange(is_paused=True))
    assert [route.destination.id for route in await tenant.routes(source_id)] == [destination_id]
    assert not await tenant.routes(deaf.id)


async def test_deleting_leaves_nothing_behind(tenant: SqlTenantRegistry) -> None:
    """No route, no secret, and the name is free."""
    function, _ = await deploy(tenant, "poster", *SETTINGS)
    source = await tenant.create_source(SourceInput(name="web"))
    made = await tenant.create_destination(crm(function.id, source_ids=(source.id,)))
    await tenant.delete_destination(made.id)
    assert not await tenant.routes(source.id)
    assert not await tenant.has_secret(made.id, "key", KEY.value)
    with pytest.raises(NotFound):
        await tenant.delete_destination(made.id)
    await tenant.create_destination(crm(function.id))
