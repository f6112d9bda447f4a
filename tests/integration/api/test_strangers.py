"""Hostile requests to the control API: each gets a clear answer, is logged once, and changes nothing."""

import json
import logging
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.support.control import MODULE, Stage, opened_stage, snapshot

from guesthouse.api.control.endpoint import MAX_JSON_BYTES, MAX_MODULE_BYTES
from guesthouse.api.control.routes import OPERATIONS, PREFIX

pytestmark = pytest.mark.anyio
INJECTIONS = [
    "' OR '1'='1",
    "'; DROP TABLE sources; --",
    '"; SELECT 1; --',
    "%' ESCAPE '!",
    "{{7*7}}",
    "$(reboot)",
    "../../etc/passwd",
    "..\\..\\windows",
    "a\r\nX-Evil: 1",
    "a\nINFO forged=line",
    "\x1b[2J\x1b]0;owned\x07",
    "\u202egnp.exe",
    "<script>alert(1)</script>",
    "\x00",
    "\ufffe\uffff",
    "A" * 900,
]
WRONG: list[Any] = [None, True, 1, -1, 1e308, 10**30, "", "x" * 10_000, [], [[]], {}, {"a": {"b": []}}, [None]]
BODIES = [
    b"",
    b"{",
    b"null",
    b"[]",
    b'"x"',
    b"NaN",
    b'{"name":"\xff"}',
    b'{"name":"\\ud800"}',
    b'{"name":' + b"[" * 100_000,
    b'{"name":"a","settings":' + b'{"a":' * 300 + b"1" + b"}" * 300 + b"}",
    b'{"name":"a","settings":{"a":1e999}}',
    b'{"name":"a","settings":{"a":' + b"1" * 5_000 + b"}}",
    b'{"name":"a","unknown":1}',
    b"\xfe\xff\x00{\x00}",
]
TEMPLATES = {"function": "crm", "source": "web", "destination": "crm", "digest": "0" * 64}


@pytest.fixture(scope="module")
async def stage(storage: Path, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    """Set up one API for all strangers: none of them may disturb the next."""
    folder = shutil.copytree(storage, tmp_path_factory.mktemp("strangers") / "data")
    async with opened_stage(folder) as stage:
        yield stage


def path_of(template: str, part: str | None = None) -> str:
    """Fill a path's parts."""
    for operation_part in ("function", "source", "destination", "delivery", "attempt", "event", "token", "digest"):
        template = template.replace("{" + operation_part + "}", part or TEMPLATES.get(operation_part, "x_1"))
    return PREFIX + template


async def refused(client: httpx.AsyncClient, stage: Stage, method: str, url: str, **request: Any) -> httpx.Response:  # noqa: ANN401 - httpx's own
    """Send a request that must be refused by 4xx as problem+json and change nothing."""
    before = await snapshot(stage)
    response = await client.request(method, url, **request)
    assert 400 <= response.status_code < 500, (method, url, response.status_code, response.text)
    assert response.headers["Content-Type"] == "application/problem+json"
    assert response.json()["status"] == response.status_code
    assert await snapshot(stage) == before
    return response


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": "Bearer"},
        {"Authorization": "Bearer wrong"},
        {"Authorization": "Basic d3Jvbmc6"},
        {"Authorization": "Bearer ' OR 1=1 --"},
        {"Authorization": b"Bearer \xff\xfe"},
        {"Authorization": "Bearer " + "a" * 50_000},
    ],
)
async def test_nothing_without_a_token(headers: dict[str, Any], client: httpx.AsyncClient, stage: Stage) -> None:
    """Whatever is asked, before anything else is looked at."""
    for operation in OPERATIONS:
        path = path_of(operation.path)
        response = await refused(client, stage, operation.method, path, headers=headers, content=b"{")
        assert response.status_code == 401, operation
        assert response.headers["WWW-Authenticate"] == "Bearer"


async def test_viewers_change_nothing(client: httpx.AsyncClient, stage: Stage) -> None:
    """Whatever isn't a GET is 403."""
    for operation in OPERATIONS:
        if operation.is_for_admins:
            response = await refused(client, stage, operation.method, path_of(operation.path), headers=stage.viewer)
            assert response.status_code == 403, operation


async def test_other_tenants_things_are_missing(client: httpx.AsyncClient, stage: Stage) -> None:
    """404, not 403, by id and by name, for every operation; and the answer is that for a thing that never was."""
    upload = {**stage.admin, "Content-Type": "application/wasm"}
    function = (await client.post(f"{PREFIX}/functions/crm/versions", content=MODULE, headers=upload)).json()
    source = (await client.post(f"{PREFIX}/sources", json={"name": "web"}, headers=stage.admin)).json()
    made = {"name": "crm", "function_id": function["function"]["id"], "settings": {"url": "u"}}
    destination = (await client.post(f"{PREFIX}/destinations", json=made, headers=stage.admin)).json()
    token = (await client.post(f"{PREFIX}/tokens", json={"name": "t", "role": "admin"}, headers=stage.admin)).json()
    ids = {
        "function": function["function"]["id"],
        "digest": function["version"]["digest"],
        "source": source["id"],
        "destination": destination["id"],
        "token": token["token"]["id"],
    }
    for operation in OPERATIONS:
        if "{" not in operation.path or operation.path.endswith(("{function}/versions", "{delivery}/replay")):
            continue
        path = operation.path
        for name, value in ids.items():
            path = path.replace("{" + name + "}", value)
        path = path.replace("{delivery}", "dlv_x").replace("{attempt}", "att_x").replace("{event}", "evt_x")
        response = await refused(client, stage, operation.method, PREFIX + path, headers=stage.foreign, json={})
        assert response.status_code in (404, 415), (operation.path, response.text)
    stolen = {"name": "x", "function_id": ids["function"], "source_ids": [ids["source"]], "settings": {"url": "u"}}
    response = await refused(client, stage, "POST", f"{PREFIX}/destinations", headers=stage.foreign, json=stolen)
    assert response.status_code in (404, 422)
    assert ids["source"] not in (await client.get(f"{PREFIX}/sources", headers=stage.foreign)).text


@pytest.mark.parametrize("body", BODIES)
async def test_broken_bodies(body: bytes, client: httpx.AsyncClient, stage: Stage) -> None:
    """Malformed, of another shape, too deep, not UTF-8."""
    for path in ("sources", "destinations", "tokens", "deliveries/replay", "deliveries/cancel"):
        await refused(client, stage, "POST", f"{PREFIX}/{path}", content=body, headers=stage.admin)


@pytest.mark.parametrize("field", ["name", "function_id", "source_ids", "settings", "secrets", "grants", "limits"])
async def test_wrong_types(field: str, client: httpx.AsyncClient, stage: Stage) -> None:
    """In every field of a destination."""
    for wrong in WRONG:
        body = {"name": "crm", "function_id": "fn_1", field: wrong}
        await refused(client, stage, "POST", f"{PREFIX}/destinations", json=body, headers=stage.admin)


@pytest.mark.parametrize("text", INJECTIONS)
async def test_injections_are_only_texts(text: str, client: httpx.AsyncClient, stage: Stage) -> None:
    """In paths, queries and bodies: not found, refused, or kept as they are, and the log has one line for each."""
    quoted = httpx.QueryParams({"x": text}).get("x")
    for path in ("sources", "functions", "destinations", "deliveries", "attempts", "events"):
        part = httpx.URL("http://x", params={"q": quoted}).query.decode().removeprefix("q=").replace("+", "%20")
        response = await client.get(f"{PREFIX}/{path}/{part}", headers=stage.admin)
        assert response.status_code in (404, 422), (path, response.text)
    for path, name in (("events", "user_id"), ("deliveries", "name"), ("explain", "message_id"), ("logs", "cursor")):
        response = await client.get(f"{PREFIX}/{path}", params={name: text}, headers=stage.admin)
        assert response.status_code in (200, 422), (path, response.text)
        assert response.status_code != 200 or not response.json().get("items")
    response = await client.post(f"{PREFIX}/sources", json={"name": text}, headers=stage.admin)
    assert response.status_code in (201, 422)
    assert response.status_code == 422 or response.json()["name"] == text
    names = [source.name for source in await stage.registry.within(stage.tenant.id).sources()]
    assert (text in names) == (response.status_code == 201)


@pytest.mark.parametrize(
    ("path", "parameters"),
    [
        ("events", {"limit": "0"}),
        ("events", {"limit": "501"}),
        ("events", {"limit": "1e9"}),
        ("events", {"limit": "99999999999999999999999"}),
        ("events", {"cursor": "nonsense"}),
        ("events", {"fate": "lost"}),
        ("events", {"since_ms": "-1"}),
        ("events", {"since_ms": "9" * 30}),
        ("events", {"unknown": "1"}),
        ("deliveries", {"state": "asleep"}),
        ("deliveries", {"since_ms": "9" * 30}),
        ("attempts", {"outcome": ""}),
        ("attempts", {"until_ms": "NaN"}),
        ("logs", {"level": "5"}),
        ("logs", {"cursor": "\u0000"}),
        ("explain", {}),
        ("explain", {"message_id": ""}),
    ],
)
async def test_bad_queries(path: str, parameters: dict[str, str], client: httpx.AsyncClient, stage: Stage) -> None:
    """422, saying which parameter."""
    response = await refused(client, stage, "GET", f"{PREFIX}/{path}", params=parameters, headers=stage.admin)
    assert response.status_code == 422


async def test_a_parameter_twice(client: httpx.AsyncClient, stage: Stage) -> None:
    """Neither the first nor the last is taken."""
    await refused(client, stage, "GET", f"{PREFIX}/events?limit=1&limit=2", headers=stage.admin)


@pytest.mark.parametrize("path", ["sources/web", "sources", "deliveries/replay", "destinations"])
async def test_wrong_media_types(path: str, client: httpx.AsyncClient, stage: Stage) -> None:
    """JSON only; a form's text/plain is not JSON."""
    headers = {**stage.admin, "Content-Type": "text/plain"}
    method = "PATCH" if path.endswith("web") else "POST"
    response = await refused(client, stage, method, f"{PREFIX}/{path}", content=b"{}", headers=headers)
    assert response.status_code == 415


async def test_oversized_bodies(client: httpx.AsyncClient, stage: Stage) -> None:
    """1 MiB of JSON, 32 MiB of module."""
    await refused(client, stage, "POST", f"{PREFIX}/sources", content=b" " * (MAX_JSON_BYTES + 1), headers=stage.admin)
    headers = {**stage.admin, "Content-Type": "application/wasm"}
    module = MODULE + bytes(MAX_MODULE_BYTES)
    response = await refused(client, stage, "POST", f"{PREFIX}/functions/a/versions", content=module, headers=headers)
    assert response.status_code == 413


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "//",
        "/api/v1",
        "/api/v1/",
        "/api/v1/sources/",
        "/api/v1//sources",
        "/api/v1/%2e%2e/sources",
        "/api/v1/sources/%2e%2e/%2e%2e",
        "/api/v1/sources%00",
        "/API/v1/sources",
        "/api/v2/sources",
        "/v1/trackx",
        "/v1/track/",
        "/v1/hooks",
        "/%",
        "/" + "a/" * 5_000,
    ],
)
async def test_path_tricks(path: str, client: httpx.AsyncClient, stage: Stage) -> None:
    """Paths are compared as they are; everything else is not there."""
    response = await refused(client, stage, "GET", path, headers=stage.admin)
    assert response.status_code == 404


async def test_other_methods(client: httpx.AsyncClient, stage: Stage) -> None:
    """405, with what is allowed."""
    for method in ("PUT", "TRACE", "CONNECT", "BREW"):
        response = await refused(client, stage, method, f"{PREFIX}/sources/web", headers=stage.admin)
        assert response.status_code == 405
        assert set(response.headers["Allow"].split(", ")) >= {"GET", "PATCH", "DELETE"}


async def test_a_refusal_is_one_line(client: httpx.AsyncClient, stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    """With what is needed to find out who asks for what; never with the token."""
    with caplog.at_level(logging.INFO, "guesthouse"):
        await client.get(f"{PREFIX}/sources/none", headers=stage.admin)
    (record,) = [record for record in caplog.records if record.name == "guesthouse.api"]
    facts = record.__dict__["facts"]
    assert (record.message, facts["status"], facts["path"]) == ("control.refused", 404, f"{PREFIX}/sources/none")
    assert stage.admin["Authorization"].removeprefix("Bearer ") not in json.dumps(facts)
