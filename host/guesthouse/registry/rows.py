"""Between rows and values: how the registry's structured columns are written and read."""

from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec import Struct
from sqlalchemy import Row

from guesthouse.model.capability import Exposure
from guesthouse.model.filter import EVERYTHING, Filter
from guesthouse.model.registry import (
    Batching,
    Destination,
    Function,
    Kind,
    Role,
    SecretFacts,
    Source,
    Tenant,
    Token,
    Version,
)
from guesthouse.model.reply import Description


class Setup(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The ``setup`` of a source or destination, kept as JSON: nothing in it is searched for."""

    settings: dict[str, Any] = {}
    grants: tuple[str, ...] = ()
    limits: dict[str, int] = {}
    filter: Filter = EVERYTHING
    batching: Batching | None = None


def encode(value: object) -> str:
    """Write a structured column."""
    return msgspec.json.encode(value).decode()


def setup_of(row: Row[Any]) -> Setup:
    """Read the setup of a source or destination."""
    return msgspec.json.decode(row.setup, type=Setup)


def tenant_of(row: Row[Any]) -> Tenant:
    """Make a tenant of its row."""
    return Tenant(id=row.id, name=row.name, created_at_ms=row.created_at_ms)


def token_of(row: Row[Any]) -> Token:
    """Make a token of its row."""
    return Token(
        id=row.id, tenant_id=row.tenant_id, name=row.name, role=Role(row.role), created_at_ms=row.created_at_ms
    )


def function_of(row: Row[Any], active_version: str | None) -> Function:
    """Make a function of its row."""
    return Function(
        id=row.id,
        tenant_id=row.tenant_id,
        name=row.name,
        kind=Kind(row.kind),
        active_version=active_version,
        created_at_ms=row.created_at_ms,
    )


def version_of(row: Row[Any]) -> Version:
    """Make a version of its row."""
    return Version(
        digest=row.digest,
        function_id=row.function_id,
        created_at_ms=row.created_at_ms,
        size_bytes=row.size_bytes,
        language=row.language,
        description=msgspec.json.decode(row.description, type=Description),
        why_not_snapshotted=row.why_not_snapshotted,
    )


def secret_of(row: Row[Any]) -> SecretFacts:
    """Make what may be shown of a secret's row."""
    hosts = msgspec.json.decode(row.hosts, type=tuple[str, ...])
    return SecretFacts(name=row.name, exposure=Exposure(row.exposure), hosts=hosts, updated_at_ms=row.updated_at_ms)


def source_of(row: Row[Any], keys: dict[str, str], secrets: Sequence[Row[Any]]) -> Source:
    """Make a source of its row, its current keys by purpose and its secrets."""
    setup = setup_of(row)
    return Source(
        id=row.id,
        tenant_id=row.tenant_id,
        name=row.name,
        write_key=keys["write"],
        hook_token=keys["hook"],
        function_id=row.function_id,
        settings=setup.settings,
        secrets=tuple(secret_of(one) for one in secrets),
        grants=setup.grants,
        limits=setup.limits,
        created_at_ms=row.created_at_ms,
        updated_at_ms=row.updated_at_ms,
    )


def destination_of(row: Row[Any], source_ids: Sequence[str], secrets: Sequence[Row[Any]]) -> Destination:
    """Make a destination of its row, the sources it listens to and its secrets."""
    setup = setup_of(row)
    return Destination(
        id=row.id,
        tenant_id=row.tenant_id,
        name=row.name,
        function_id=row.function_id,
        source_ids=tuple(sorted(source_ids)),
        settings=setup.settings,
        secrets=tuple(secret_of(one) for one in secrets),
        grants=setup.grants,
        limits=setup.limits,
        filter=setup.filter,
        batching=setup.batching,
        is_paused=row.is_paused,
        created_at_ms=row.created_at_ms,
        updated_at_ms=row.updated_at_ms,
    )
