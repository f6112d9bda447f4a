"""Modules in: judged and prepared by the engine's child process, kept by the registry, activated."""

from guesthouse.errors import NotFound
from guesthouse.model.answers import Deployment
from guesthouse.model.registry import Kind
from guesthouse.registry.protocol import Registry
from guesthouse.runtime.engine import Engine


class Deployments:
    """See `guesthouse.api.ports.Deployer`."""

    def __init__(self, engine: Engine, registry: Registry) -> None:
        """Take what judges modules and what keeps them."""
        self._engine = engine
        self._registry = registry

    async def deploy(
        self, tenant_id: str, name: str, kind: Kind | None, module: bytes, *, activate: bool
    ) -> Deployment:
        """See `guesthouse.api.ports.Deployer.deploy`."""
        loaded = await self._engine.load(module)
        try:
            description, language, why_not = loaded.description, loaded.facts.language, loaded.why_not_snapshotted
        finally:
            loaded.close()
        tenant = self._registry.within(tenant_id)
        try:
            function = await tenant.function(name)
        except NotFound:
            function = await tenant.create_function(name, kind or Kind(description.kind))
        known = {version.digest for version in await tenant.versions(function.id)}
        version = await tenant.add_version(
            *(function.id, module, description), language=language, why_not_snapshotted=why_not
        )
        problems: tuple[str, ...] = ()
        if activate:
            activation = await tenant.activate(function.id, version.digest)
            function, problems = activation.function, activation.problems
        return Deployment(function=function, version=version, is_new=version.digest not in known, problems=problems)
