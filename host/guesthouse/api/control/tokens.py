"""Tokens of this API."""

from typing import Annotated

from msgspec import Meta, Struct

from guesthouse.api.control.operation import Call, Listing, Media, Operation
from guesthouse.api.control.views import NewToken
from guesthouse.model.registry import Role, Token


class TokenInput(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A token to make."""

    name: Annotated[str, Meta(min_length=1, max_length=100)]
    role: Role


async def list_tokens(call: Call) -> Listing[Token]:
    """List the tokens, without their texts."""
    return Listing(items=tuple(await call.registry.tokens()))


async def create_token(call: Call) -> NewToken:
    """Make a token."""
    token, text = await call.registry.create_token(call.body.name, call.body.role)
    return NewToken(token=token, text=text)


async def delete_token(call: Call) -> None:
    """Revoke a token."""
    await call.registry.delete_token(call.path["token"])


OPERATIONS = (
    Operation(
        method="GET",
        path="/tokens",
        handler=list_tokens,
        summary="List tokens",
        gives=Listing[Token],
        needs_admin=True,
    ),
    Operation(
        method="POST",
        path="/tokens",
        handler=create_token,
        summary="Make a token",
        media=Media.JSON,
        body=TokenInput,
        gives=NewToken,
        status=201,
        errors=(409,),
    ),
    Operation(
        method="DELETE",
        path="/tokens/{token}",
        handler=delete_token,
        summary="Revoke a token",
        status=204,
        errors=(404,),
    ),
)
