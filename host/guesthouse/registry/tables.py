"""The registry's tables. Every one that holds something of a tenant has its ``tenant_id``: `TenantScope` needs it."""

from pathlib import Path
from typing import Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)

from guesthouse.registry.migrate import History

METADATA: Final = MetaData()
HISTORY: Final = History(Path(__file__).parent / "migrations", "registry_revision", "0001")

_ID: Final = String(40)
_NAME: Final = String(200)


def _mine() -> Column[str]:
    return Column("tenant_id", _ID, ForeignKey("tenants.id"), nullable=False)


revisions = Table(
    "registry_changes",
    METADATA,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("number", BigInteger, nullable=False),
)
"""One row: a number that grows with every change."""

tenants = Table(
    "tenants",
    METADATA,
    Column("id", _ID, primary_key=True),
    Column("name", _NAME, nullable=False, unique=True),
    Column("changed", BigInteger, nullable=False, index=True),
    Column("created_at_ms", BigInteger, nullable=False),
)
"""``changed``: the number of the tenant's latest change."""

functions = Table(
    "functions",
    METADATA,
    Column("id", _ID, primary_key=True),
    _mine(),
    Column("name", _NAME, nullable=False),
    Column("kind", String(20), nullable=False),
    Column("activation_id", _ID),
    Column("created_at_ms", BigInteger, nullable=False),
    UniqueConstraint("tenant_id", "name", name="functions_name"),
)

versions = Table(
    "versions",
    METADATA,
    Column("function_id", _ID, ForeignKey("functions.id", ondelete="CASCADE"), primary_key=True),
    Column("digest", String(64), primary_key=True),
    _mine(),
    Column("created_at_ms", BigInteger, nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
    Column("language", Text),
    Column("description", Text, nullable=False),
    Column("why_not_snapshotted", Text),
)

activations = Table(
    "activations",
    METADATA,
    Column("id", _ID, primary_key=True),
    _mine(),
    Column("function_id", _ID, ForeignKey("functions.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("digest", String(64), nullable=False),
    Column("previous_id", _ID),
    Column("created_at_ms", BigInteger, nullable=False),
)
"""A chain back in time for each function; rolling back follows it."""

sources = Table(
    "sources",
    METADATA,
    Column("id", _ID, primary_key=True),
    _mine(),
    Column("name", _NAME, nullable=False),
    Column("function_id", _ID, ForeignKey("functions.id")),
    Column("setup", Text, nullable=False),
    Column("created_at_ms", BigInteger, nullable=False),
    Column("updated_at_ms", BigInteger, nullable=False),
    UniqueConstraint("tenant_id", "name", name="sources_name"),
)

source_keys = Table(
    "source_keys",
    METADATA,
    Column("value", String(80), primary_key=True),
    _mine(),
    Column("source_id", _ID, ForeignKey("sources.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("purpose", String(10), nullable=False),
    Column("expires_at_ms", BigInteger),
)
"""Write keys and hook tokens; the current ones don't expire."""

destinations = Table(
    "destinations",
    METADATA,
    Column("id", _ID, primary_key=True),
    _mine(),
    Column("name", _NAME, nullable=False),
    Column("function_id", _ID, ForeignKey("functions.id"), nullable=False, index=True),
    Column("setup", Text, nullable=False),
    Column("is_paused", Boolean, nullable=False),
    Column("created_at_ms", BigInteger, nullable=False),
    Column("updated_at_ms", BigInteger, nullable=False),
    UniqueConstraint("tenant_id", "name", name="destinations_name"),
)

listens = Table(
    "listens",
    METADATA,
    Column("destination_id", _ID, ForeignKey("destinations.id", ondelete="CASCADE"), primary_key=True),
    Column("source_id", _ID, ForeignKey("sources.id", ondelete="CASCADE"), primary_key=True),
    _mine(),
    Index("listens_source", "source_id"),
)

secrets = Table(
    "secrets",
    METADATA,
    Column("holder_id", _ID, primary_key=True),
    Column("name", _NAME, primary_key=True),
    _mine(),
    Column("exposure", String(20), nullable=False),
    Column("hosts", Text, nullable=False),
    Column("key_id", String(20), nullable=False),
    Column("sealed", LargeBinary, nullable=False),
    Column("updated_at_ms", BigInteger, nullable=False),
)
"""The holder is a destination or a source."""

tokens = Table(
    "tokens",
    METADATA,
    Column("id", _ID, primary_key=True),
    _mine(),
    Column("name", _NAME, nullable=False),
    Column("role", String(20), nullable=False),
    Column("hash", String(64), nullable=False, unique=True),
    Column("created_at_ms", BigInteger, nullable=False),
    UniqueConstraint("tenant_id", "name", name="tokens_name"),
)
