"""What sources and destinations have in common: a function put to work, with settings, secrets, grants and limits."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from msgspec import UNSET
from msgspec.structs import asdict
from sqlalchemy import Row

from guesthouse.errors import InvalidInput
from guesthouse.model.capability import Capabilities, Exposure, Secret
from guesthouse.model.grants import parse_grant
from guesthouse.model.hosts import normalise_pattern
from guesthouse.model.limits import Limits
from guesthouse.model.registry import (
    DestinationChange,
    DestinationInput,
    Function,
    Kind,
    SecretInput,
    SourceChange,
    SourceInput,
    Version,
)
from guesthouse.model.reply import Description
from guesthouse.registry import checks
from guesthouse.registry.rows import Setup, encode, secret_of, setup_of
from guesthouse.registry.scope import TenantScope
from guesthouse.registry.sealing import Place, Sealed, Sealer
from guesthouse.registry.tables import destinations, secrets, sources

Secrets = Mapping[str, SecretInput | None]


@dataclass(frozen=True, slots=True)
class Terms:
    """What holds for every change: how secrets are encrypted, the operator's ceilings, and when it is."""

    sealer: Sealer
    ceilings: Limits
    now_ms: int


def merge(setup: Setup, given: SourceInput | SourceChange | DestinationInput | DestinationChange) -> Setup:
    """Give the setup with what was given in the place of what was."""
    fields = {name: getattr(given, name, UNSET) for name in Setup.__struct_fields__}
    return Setup(**{**asdict(setup), **{name: value for name, value in fields.items() if value is not UNSET}})


def check(terms: Terms, setup: Setup, given: Secrets) -> None:
    """Refuse what breaks a bound, whatever the function; raises `InvalidInput`."""
    checks.refuse(
        [
            *checks.settings_problems(setup.settings),
            *checks.secret_problems(given),
            *checks.grant_problems(setup.grants),
            *checks.limit_problems(setup.limits, terms.ceilings),
            *checks.filter_problems(setup.filter.types, setup.filter.names),
            *setup.filter.problems(),
            *checks.batching_problems(setup.batching),
        ]
    )


def check_fit(function: Function, kind: Kind, version: Version | None, setup: Setup, names: Sequence[str]) -> None:
    """Refuse a function of another kind, and what doesn't fit its active version; raises `InvalidInput`."""
    if function.kind != kind:
        raise InvalidInput((f"{function.name!r} is a {function.kind} function, and a {kind} needs one of its kind",))
    if len(names) > checks.SECRETS:
        raise InvalidInput((f"there are {len(names):,} secrets; {checks.SECRETS} are allowed",))
    if version is not None:
        checks.refuse(list(checks.fit_problems(version.description, setup.settings, names)))


def misfits(scope: TenantScope, function_id: str, description: Description) -> Iterator[str]:
    """Say which sources and destinations of a function don't fit a version of it."""
    for table, what in ((destinations, "destination"), (sources, "source")):
        for row in scope.rows(table, table.c.function_id == function_id):
            names = [secret.name for secret in secret_rows(scope, row.id)]
            for problem in checks.fit_problems(description, setup_of(row).settings, names):
                yield f"{what} {row.name!r}: {problem}"


def secret_rows(scope: TenantScope, holder_id: str) -> list[Row[Any]]:
    """Give a holder's secrets, by name."""
    return sorted(scope.rows(secrets, secrets.c.holder_id == holder_id), key=lambda row: row.name)


def names_after(scope: TenantScope, holder_id: str, given: Secrets) -> list[str]:
    """Say which secrets a holder has once the given ones are written."""
    before = {row.name for row in secret_rows(scope, holder_id)}
    return sorted((before | set(given)) - {name for name, secret in given.items() if secret is None})


def write_secrets(
    scope: TenantScope, terms: Terms, holder_id: str, given: Secrets, description: Description | None
) -> bool:
    """Store, replace and delete secrets; say whether that made a difference."""
    before = {row.name: row for row in secret_rows(scope, holder_id)}
    declared = {setting.name for setting in description.settings if setting.secret} if description else set()
    is_changed = False
    for name, secret in given.items():
        row = before.get(name)
        if secret is None:
            is_changed |= _drop(scope, holder_id, name)
            continue
        usual = Exposure.REFERENCE if name in declared else Exposure.VALUE
        hosts = tuple(sorted({normalise_pattern(host) for host in secret.hosts}))
        facts = {"exposure": secret.exposure or usual, "hosts": encode(hosts)}
        if row is None or not _is_same(terms, scope, row, facts, secret.value):
            _drop(scope, holder_id, name)
            sealed = terms.sealer.seal(Place(scope.tenant_id, holder_id, name), secret.value)
            place = {"holder_id": holder_id, "name": name, "updated_at_ms": terms.now_ms}
            scope.insert(secrets, {**facts, **place, "key_id": sealed.key_id, "sealed": sealed.data})
            is_changed = True
    return is_changed


def drop_secrets(scope: TenantScope, holder_id: str) -> None:
    """Delete all secrets of a holder."""
    scope.delete(secrets, secrets.c.holder_id == holder_id)


def reveal(scope: TenantScope, sealer: Sealer, row: Row[Any]) -> str:
    """Decrypt a secret's row; raises `UnreadableSecret`."""
    return sealer.unseal(Place(scope.tenant_id, row.holder_id, row.name), Sealed(row.key_id, row.sealed))


def capabilities_of(scope: TenantScope, sealer: Sealer, holder_id: str, setup: Setup) -> Capabilities:
    """Give grants and secrets as an invocation needs them; secrets bound to no host go where the grants go."""
    grants = tuple(parse_grant(grant) for grant in setup.grants)
    granted = tuple(dict.fromkeys(grant.host for grant in grants))
    return Capabilities(
        grants=grants,
        secrets=tuple(
            Secret(
                name=facts.name,
                value=reveal(scope, sealer, row),
                exposure=facts.exposure,
                hosts=facts.hosts or granted,
            )
            for row in secret_rows(scope, holder_id)
            for facts in [secret_of(row)]
        ),
    )


def _drop(scope: TenantScope, holder_id: str, name: str) -> bool:
    return scope.delete(secrets, secrets.c.holder_id == holder_id, secrets.c.name == name) > 0


def _is_same(terms: Terms, scope: TenantScope, row: Row[Any], facts: Mapping[str, Any], value: str) -> bool:
    is_alike = row.exposure == facts["exposure"] and row.hosts == facts["hosts"]
    return is_alike and reveal(scope, terms.sealer, row) == value
