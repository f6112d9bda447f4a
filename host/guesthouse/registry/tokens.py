"""Tokens of the control API: statements over one tenant's rows."""

from guesthouse.ids import new_id
from guesthouse.model.registry import Role, Token
from guesthouse.registry import checks, keys
from guesthouse.registry.rows import token_of
from guesthouse.registry.scope import TenantScope
from guesthouse.registry.tables import tokens

TOKENS = 1_000


def every(scope: TenantScope) -> list[Token]:
    """See `TenantRegistry.tokens`."""
    return [token_of(row) for row in sorted(scope.rows(tokens), key=lambda row: row.name)]


def create(scope: TenantScope, name: str, role: Role, now_ms: int) -> tuple[Token, str]:
    """See `TenantRegistry.create_token`."""
    checks.check_name(name)
    scope.make_room(tokens, "tokens", TOKENS)
    id_, text = new_id("tok", now_ms=now_ms), keys.new_token()
    row = {"id": id_, "name": name, "role": role, "hash": keys.hash_token(text), "created_at_ms": now_ms}
    scope.insert(tokens, row)
    return token_of(scope.get(tokens, "token", id_)), text


def drop(scope: TenantScope, token_id: str) -> None:
    """See `TenantRegistry.delete_token`."""
    scope.get(tokens, "token", token_id)
    scope.delete(tokens, tokens.c.id == token_id)
