"""The control API over a real registry and ledger."""

import json
from typing import Any

import httpx
import msgpack
import pytest
from tests.support.control import BROKEN_MODULE, MODULE, Stage, snapshot

from guesthouse.errors import StorageFault, TenantFull
from guesthouse.model.delivery import Outcome
from guesthouse.model.record import AttemptRecord, EventFate, EventRecord
from guesthouse.model.report import LogLevel, LogLine

pytestmark = pytest.mark.anyio
API = "/api/v1"
WASM = {"Content-Type": "application/wasm"}


async def upload(client: httpx.AsyncClient, stage: Stage, name: str = "crm", module: bytes = MODULE) -> dict[str, Any]:
    """Upload a module and give the deployment."""
    response = await client.post(f"{API}/functions/{name}/versions", content=module, headers=stage.admin | WASM)
    assert response.status_code in (200, 201), response.text
    deployment: dict[str, Any] = response.json()
    return deployment


async def made(client: httpx.AsyncClient, stage: Stage, what: str, **fields: object) -> dict[str, Any]:
    """Make a thing and give it."""
    response = await client.post(f"{API}/{what}", json=fields, headers=stage.admin)
    assert response.status_code == 201, response.text
    thing: dict[str, Any] = response.json()
    return thing


async def destination(client: httpx.AsyncClient, stage: Stage, **fields: object) -> dict[str, Any]:
    """Make a destination of a function just uploaded."""
    function = (await upload(client, stage))["function"]
    settings = {"url": "https://crm.example.com/"}
    return await made(
        client, stage, "destinations", name="crm", function_id=function["id"], settings=settings, **fields
    )


async def test_a_module_becomes_an_active_version(client: httpx.AsyncClient, stage: Stage) -> None:
    """The first upload makes the function; the same bytes again are the same version, and say so."""
    first = await client.post(f"{API}/functions/crm/versions", content=MODULE, headers=stage.admin | WASM)
    again = await client.post(f"{API}/functions/crm/versions", content=MODULE, headers=stage.admin | WASM)
    assert (first.status_code, again.status_code) == (201, 200)
    assert again.json()["version"] == first.json()["version"]
    shown = (await client.get(f"{API}/functions/crm", headers=stage.viewer)).json()
    assert shown["active_version"] == first.json()["version"]["digest"]
    versions = (await client.get(f"{API}/functions/{shown['id']}/versions", headers=stage.viewer)).json()
    assert [version["digest"] for version in versions["items"]] == [shown["active_version"]]


async def test_versions_are_activated_and_rolled_back(client: httpx.AsyncClient, stage: Stage) -> None:
    """An upload may wait; activating and rolling back move between versions."""
    old = (await upload(client, stage))["version"]["digest"]
    path = f"{API}/functions/crm/versions?activate=false"
    new = (await client.post(path, content=MODULE + b"\x00\x01\x00", headers=stage.admin | WASM)).json()
    assert new["function"]["active_version"] == old
    digest = new["version"]["digest"]
    activated = await client.post(f"{API}/functions/crm/versions/{digest}/activate", headers=stage.admin)
    assert activated.json()["function"]["active_version"] == digest
    back = await client.post(f"{API}/functions/crm/roll-back", headers=stage.admin)
    assert back.json()["function"]["active_version"] == old


async def test_what_is_no_module_is_refused(client: httpx.AsyncClient, stage: Stage) -> None:
    """By its type, by its first bytes, by the engine with each problem; nothing is kept."""
    before = await snapshot(stage)
    path = f"{API}/functions/crm/versions"
    typed = await client.post(path, content=MODULE, headers=stage.admin | {"Content-Type": "text/html"})
    text = await client.post(path, content=b"(module)", headers=stage.admin | WASM)
    broken = await client.post(path, content=BROKEN_MODULE, headers=stage.admin | WASM)
    assert [response.status_code for response in (typed, text, broken)] == [415, 400, 422]
    assert broken.json()["problems"] == ["its version is 2", "it has no memory"]
    assert await snapshot(stage) == before


async def test_a_source_shows_its_keys_to_admins(client: httpx.AsyncClient, stage: Stage) -> None:
    """Whoever may only read can't let events in."""
    source = await made(client, stage, "sources", name="web")
    assert source["hook_url"].startswith("http://host.example.com/v1/hooks/")
    assert (await stage.registry.source_by_write_key(source["write_key"])) is not None
    shown = (await client.get(f"{API}/sources/web", headers=stage.viewer)).json()
    assert (shown["id"], shown["write_key"], shown["hook_url"]) == (source["id"], None, None)


async def test_keys_are_rotated(client: httpx.AsyncClient, stage: Stage) -> None:
    """The old one is good for as long as asked."""
    source = await made(client, stage, "sources", name="web")
    path = f"{API}/sources/{source['id']}/rotate-write-key"
    second = (await client.post(f"{path}?overlap_ms=60000", headers=stage.admin)).json()
    assert await _are_known(stage, source, second) == [True, True]
    third = (await client.post(path, headers=stage.admin)).json()
    assert await _are_known(stage, second, third) == [False, True]
    hooked = (await client.post(f"{API}/sources/web/rotate-hook-token", headers=stage.admin)).json()
    assert hooked["hook_url"] != source["hook_url"]


async def _are_known(stage: Stage, *sources: dict[str, Any]) -> list[bool]:
    return [await stage.registry.source_by_write_key(source["write_key"]) is not None for source in sources]


async def test_things_are_changed_and_deleted(client: httpx.AsyncClient, stage: Stage) -> None:
    """What isn't given stays; what is deleted is gone, and its deliveries are cancelled."""
    source = await made(client, stage, "sources", name="web")
    target = await destination(client, stage, source_ids=[source["id"]], secrets={"key": {"value": "s3cret"}})
    assert "s3cret" not in json.dumps(target)
    path = f"{API}/destinations/crm"
    changed = (await client.patch(path, json={"filter": {"types": ["track"]}}, headers=stage.admin)).json()
    assert (changed["filter"], changed["settings"]) == ({"types": ["track"]}, target["settings"])
    assert (await client.delete(path, headers=stage.admin)).status_code == 204
    assert stage.work.asked == [("destination_deleted", stage.tenant.id, target["id"])]
    assert (await client.get(path, headers=stage.admin)).status_code == 404
    assert (await client.delete(f"{API}/functions/crm", headers=stage.admin)).status_code == 204
    renamed = await client.patch(f"{API}/sources/web", json={"name": "shop"}, headers=stage.admin)
    assert renamed.json()["name"] == "shop"
    assert (await client.delete(f"{API}/sources/shop", headers=stage.admin)).status_code == 204
    assert (await client.get(f"{API}/sources", headers=stage.admin)).json()["items"] == []


async def test_pausing_reaches_the_queue(client: httpx.AsyncClient, stage: Stage) -> None:
    """By its own path, by a change, and from the beginning; told again, it is passed on again."""
    target = await destination(client, stage, is_paused=True)
    path = f"{API}/destinations/crm"
    resumed = await client.post(f"{path}/resume", headers=stage.admin)
    paused = await client.post(f"{path}/pause", headers=stage.admin)
    await client.post(f"{path}/pause", headers=stage.admin)
    changed = await client.patch(path, json={"is_paused": False}, headers=stage.admin)
    assert [one.json()["is_paused"] for one in (resumed, paused, changed)] == [False, True, False]
    assert [asked[0] for asked in stage.work.asked] == ["pause", "resume", "pause", "pause", "resume"]
    assert {asked[1:] for asked in stage.work.asked} == {(stage.tenant.id, target["id"])}


async def test_settings_must_fit_the_function(client: httpx.AsyncClient, stage: Stage) -> None:
    """Each problem is named, and nothing is made."""
    function = (await upload(client, stage))["function"]
    body = {"name": "crm", "function_id": function["id"], "settings": {"url": 5}}
    response = await client.post(f"{API}/destinations", json=body, headers=stage.admin)
    assert (response.status_code, response.json()["code"]) == (422, "invalid_input")
    assert any("url" in problem for problem in response.json()["problems"])
    assert (await client.get(f"{API}/destinations", headers=stage.admin)).json()["items"] == []


async def test_names_are_unique(client: httpx.AsyncClient, stage: Stage) -> None:
    """Within a tenant and a kind."""
    await made(client, stage, "sources", name="web")
    response = await client.post(f"{API}/sources", json={"name": "web"}, headers=stage.admin)
    assert (response.status_code, response.json()["code"]) == (409, "name_taken")
    stranger = await client.post(f"{API}/sources", json={"name": "web"}, headers=stage.foreign)
    assert stranger.status_code == 201


async def test_tokens_are_made_and_revoked(client: httpx.AsyncClient, stage: Stage) -> None:
    """The text is shown once and works until then."""
    token = await made(client, stage, "tokens", name="ci", role="viewer")
    headers = {"Authorization": f"Bearer {token['text']}"}
    assert (await client.get(f"{API}/sources", headers=headers)).status_code == 200
    listed = await client.get(f"{API}/tokens", headers=stage.admin)
    assert token["text"] not in listed.text
    assert (await client.get(f"{API}/tokens", headers=headers)).status_code == 403
    await client.delete(f"{API}/tokens/{token['token']['id']}", headers=stage.admin)
    assert (await client.get(f"{API}/sources", headers=headers)).status_code == 401


@pytest.fixture
async def history(stage: Stage) -> None:
    """Let the ledger know an event with a delivery that failed once."""
    event = EventRecord(
        event_id="evt_1",
        tenant_id=stage.tenant.id,
        source_id="src_1",
        message_id="m/1 ?",
        type="track",
        name="Bought",
        user_id="u",
        anonymous_id=None,
        received_at_ms=1_000,
        fate=EventFate.ACCEPTED,
        deliveries=(("dlv_1", "dst_1"),),
        payload=msgpack.packb({"event": "Bought"}),
    )
    attempt = AttemptRecord(
        attempt_id="att_1",
        invocation_id="inv_1",
        delivery_id="dlv_1",
        event_id="evt_1",
        tenant_id=stage.tenant.id,
        source_id="src_1",
        destination_id="dst_1",
        function="crm",
        version="0" * 64,
        attempt=1,
        started_at_ms=2_000,
        ended_at_ms=2_010,
        outcome=Outcome.RETRYING,
        reason="busy",
        code="http_503",
        verdict="retry",
        due_at_ms=9_000,
        logs=(LogLine(level=LogLevel.WARN, message="hm", at_ms=3),),
    )
    await stage.ledger.append([event, attempt])


@pytest.mark.usefixtures("history")
async def test_the_ledger_is_asked(client: httpx.AsyncClient, stage: Stage) -> None:
    """Events with payload, deliveries with attempts, attempts, logs, and the whole life by message id."""

    async def ask(path: str) -> Any:  # noqa: ANN401 - what JSON holds
        response = await client.get(f"{API}/{path}", headers=stage.viewer)
        assert response.status_code == 200, response.text
        return response.json()

    assert (await ask("events/evt_1"))["payload"] == {"event": "Bought"}
    assert [one["event_id"] for one in (await ask("events?name=Bought&user_id=u&limit=1"))["items"]] == ["evt_1"]
    assert (await ask("events?fate=refused"))["items"] == []
    assert (await ask("deliveries/dlv_1"))["attempts"][0]["reason"] == "busy"
    found = (await ask("deliveries?state=retrying&destination_id=dst_1&since_ms=0"))["items"]
    assert [one["id"] for one in found] == ["dlv_1"]
    assert [one["attempt_id"] for one in (await ask("attempts?outcome=retrying"))["items"]] == ["att_1"]
    assert (await ask("attempts/att_1"))["due_at_ms"] == 9_000
    (life,) = (await ask("explain?message_id=m%2F1%20%3F"))["items"]
    assert life["deliveries"][0]["delivery"]["code"] == "http_503"
    logs = await ask("logs?level=warn")
    assert [entry["message"] for entry in logs["entries"]] == ["hm"]
    assert (await ask(f"logs?cursor={logs['cursor']}"))["entries"] == []


@pytest.mark.usefixtures("history")
async def test_deliveries_are_replayed_and_cancelled(client: httpx.AsyncClient, stage: Stage) -> None:
    """One, those named, or by query."""
    headers = stage.admin
    one = await client.post(f"{API}/deliveries/dlv_1/replay", headers=headers)
    assert one.json()["deliveries"] == [["dlv_1", "dlv_1_again"]]
    await client.post(f"{API}/deliveries/replay", json={"deliveries": ["dlv_1"]}, headers=headers)
    await client.post(f"{API}/deliveries/replay", json={"query": {"state": "dead"}, "limit": 7}, headers=headers)
    await client.post(f"{API}/deliveries/dlv_1/cancel", headers=headers)
    await client.post(f"{API}/deliveries/cancel", json={"destination_id": "dst_1"}, headers=headers)
    assert [asked[0] for asked in stage.work.asked] == ["replay", "replay", "replay_query", "cancel", "cancel"]
    both: dict[str, object] = {"deliveries": [], "query": {}}
    for body in ({}, both):
        assert (await client.post(f"{API}/deliveries/replay", json=body, headers=headers)).status_code == 422
    assert (await client.post(f"{API}/deliveries/cancel", json={}, headers=headers)).status_code == 422


@pytest.mark.parametrize(
    ("failure", "status"),
    [(TenantFull("t", 1, 3.0), 429), (StorageFault("the disk is full"), 503), (KeyError("a bug"), 500)],
)
async def test_failures_are_told(failure: Exception, status: int, client: httpx.AsyncClient, stage: Stage) -> None:
    """The tenant's, the operator's and our own, each by its status and as problem+json."""
    stage.work.failure = failure
    response = await client.post(f"{API}/deliveries/dlv_1/replay", headers=stage.admin)
    assert response.status_code == status
    assert response.headers["Content-Type"] == "application/problem+json"
    assert response.json()["retryable"] is True
    assert "a bug" not in response.text


async def test_health(client: httpx.AsyncClient, stage: Stage) -> None:
    """Alive is alive; ready says what is missing; metrics are in Prometheus' format."""
    assert (await client.get("/healthz")).status_code == 200
    assert (await client.get("/readyz")).status_code == 200
    stage.health.wrong.append("the disk is full")
    response = await client.get("/readyz")
    assert (response.status_code, response.json()["problems"]) == (503, ["the disk is full"])
    assert (await client.get("/metrics")).headers["Content-Type"].startswith("text/plain; version=")
