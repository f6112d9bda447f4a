"""The difference between a `Manifest` and a host, as steps that can be shown and taken."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import msgspec

from guesthouse.cli.client import Api
from guesthouse.cli.exits import BadInput
from guesthouse.cli.folders import find_module
from guesthouse.cli.inputs import read_module
from guesthouse.cli.manifest import DestinationPart, FunctionPart, Manifest, SecretPart, SourcePart
from guesthouse.cli.text import shortened

KINDS: Final = ("functions", "sources", "destinations")
_DIGEST_CHARS: Final = 12
_VALUE_CHARS: Final = 80

Document = dict[str, Any]


@dataclass(slots=True)
class State:
    """What is on the host, by kind and name."""

    items: dict[str, dict[str, Document]]

    @classmethod
    def read(cls, api: Api) -> "State":
        """Ask for all of it."""
        return cls({kind: {item["name"]: item for item in api.every(kind)} for kind in KINDS})

    def id_of(self, kind: str, name: str) -> str:
        """Give the id of something that is known to be there by now."""
        return str(self.items[kind][name]["id"])

    def name_of(self, kind: str, id_: str | None) -> str | None:
        """Give a name back."""
        return next((name for name, item in self.items[kind].items() if item["id"] == id_), id_)


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One thing to make or change."""

    kind: str
    name: str
    is_new: bool
    details: tuple[str, ...]
    """What changes, a line each; empty where only the host can say whether a secret's value does."""
    fields: tuple[str, ...] = ()
    """What to change of a thing that is there."""
    module: bytes = field(default=b"", repr=False)

    @property
    def is_sure(self) -> bool:
        """Whether taking it makes a difference."""
        return self.is_new or bool(self.details)


def steps_of(manifest: Manifest, folder: Path, state: State) -> Iterator[Step]:
    """Yield what has to be done, in an order in which it can be."""
    _check_names(manifest, state)
    for name, function in manifest.functions.items():
        yield from _function_steps(name, function, folder, state)
    for name, source in manifest.sources.items():
        yield from _steps("sources", name, _source_document(source), state, source.secrets)
    for name, destination in manifest.destinations.items():
        yield from _steps("destinations", name, _destination_document(destination), state, destination.secrets)


def _check_names(manifest: Manifest, state: State) -> None:
    functions = {*manifest.functions, *state.items["functions"]}
    sources = {*manifest.sources, *state.items["sources"]}
    problems = [
        f"the source {name} runs the function {source.function}, which is neither in the file nor on the host"
        for name, source in manifest.sources.items()
        if source.function is not None and source.function not in functions
    ]
    for name, destination in manifest.destinations.items():
        wanted = [
            ("function", destination.function, functions),
            *(("source", one, sources) for one in destination.sources),
        ]
        problems += [
            f"the destination {name} names the {what} {one}, which is neither in the file nor on the host"
            for what, one, known in wanted
            if one not in known
        ]
    if problems:
        raise BadInput("\n  - ".join(["the file doesn't fit together:", *problems]))


def _function_steps(name: str, part: FunctionPart, folder: Path, state: State) -> Iterator[Step]:
    path = find_module(str(folder / part.module)).path
    module = read_module(path)
    digest = hashlib.sha256(module).hexdigest()
    there = state.items["functions"].get(name)
    before = there["active_version"] if there else None
    if before != digest:
        change = f"{before[:_DIGEST_CHARS]} -> {digest[:_DIGEST_CHARS]}" if before else digest[:_DIGEST_CHARS]
        details = (f"version {change} from {path}",)
        yield Step(kind="functions", name=name, is_new=there is None, details=details, module=module)


def _source_document(part: SourcePart) -> Document:
    return _as_json({"function": part.function, **_setup_document(part)})


def _destination_document(part: DestinationPart) -> Document:
    own = {
        "sources": sorted(set(part.sources)),
        "filter": part.filter,
        "batching": part.batching,
        "is_paused": part.paused,
    }
    return _as_json({"function": part.function, **_setup_document(part), **own})


def _setup_document(part: SourcePart | DestinationPart) -> Document:
    return {"settings": part.settings, "grants": list(part.allow), "limits": part.limits}


def _as_json(document: Document) -> Document:
    """Give it as it comes back from the host, so that the two can be compared."""
    given: Document = msgspec.json.decode(msgspec.json.encode(document))
    return given


def _steps(kind: str, name: str, wanted: Document, state: State, secrets: Mapping[str, object]) -> Iterator[Step]:
    there = state.items[kind].get(name)
    if there is None:
        details = (*(line for key, value in wanted.items() if value for line in _difference(key, None, value)),)
        secret_lines = tuple(f"secret {secret}" for secret in secrets)
        yield Step(kind=kind, name=name, is_new=True, details=(*details, *secret_lines))
        return
    found = _shown(there, state)
    differing = tuple(key for key, value in wanted.items() if found.get(key) != value)
    details = tuple(line for key in differing for line in _difference(key, found.get(key), wanted[key]))
    kept = {secret["name"] for secret in there["secrets"]}
    details += tuple(f"secret {secret} is added" for secret in secrets if secret not in kept)
    details += tuple(f"secret {secret} is removed" for secret in sorted(kept - {*secrets}))
    if details or secrets:
        yield Step(kind=kind, name=name, is_new=False, details=details, fields=differing)


def _shown(there: Document, state: State) -> Document:
    """Give a thing on the host in the file's words."""
    return {
        **there,
        "function": state.name_of("functions", there["function_id"]),
        "sources": sorted(str(state.name_of("sources", one)) for one in there.get("source_ids", ())),
    }


_WORDS: Final = {"grants": "allow", "is_paused": "paused"}


def _difference(key: str, before: object, after: object) -> Iterator[str]:
    word = _WORDS.get(key, key)
    if isinstance(after, dict) and isinstance(before, dict | None):
        old = before or {}
        for name in dict.fromkeys((*old, *after)):
            if old.get(name) != after.get(name) or (name in old) != (name in after):
                yield f"{word}.{name}  {_change(old, after, name)}"
    elif before in (None, [], False):
        yield f"{word}  {_text(after)}"
    else:
        yield f"{word}  {_text(before)} -> {_text(after)}"


def _change(old: Mapping[str, object], new: Mapping[str, object], name: str) -> str:
    if name not in old:
        return _text(new[name])
    return f"{_text(old[name])} -> {_text(new[name]) if name in new else 'nothing'}"


def _text(value: object) -> str:
    if value is None or value in ([], {}):
        return "nothing"
    return shortened(json.dumps(value, ensure_ascii=False), _VALUE_CHARS)


def take(step: Step, manifest: Manifest, state: State, api: Api) -> tuple[str, ...]:
    """Take one step; what it came to that its owner should know. `State` has it afterwards."""
    if step.kind == "functions":
        deployment = api.upload(step.name, step.module)
        state.items["functions"][step.name] = deployment["function"]
        return tuple(deployment["problems"])
    part: SourcePart | DestinationPart
    part = manifest.sources[step.name] if step.kind == "sources" else manifest.destinations[step.name]
    document = _source_document(part) if isinstance(part, SourcePart) else _destination_document(part)
    there = state.items[step.kind].get(step.name)
    given = {key: value for key, value in document.items() if there is None or key in step.fields}
    body = {**_with_ids(given, state), "secrets": _secrets_body(part, there)}
    if there is None:
        done = api.post(f"/{step.kind}", {"name": step.name, **body})
    else:
        done = api.patch(f"/{step.kind}/{there['id']}", body)
    state.items[step.kind][step.name] = done
    return _silently_changed(step, there, done)


def _with_ids(given: Document, state: State) -> Document:
    body = dict(given)
    if "function" in body:
        function = body.pop("function")
        body["function_id"] = None if function is None else state.id_of("functions", function)
    if "sources" in body:
        body["source_ids"] = [state.id_of("sources", one) for one in body.pop("sources")]
    return body


def _secrets_body(part: SourcePart | DestinationPart, there: Document | None) -> Document:
    body: Document = {name: _secret_body(secret) for name, secret in part.secrets.items()}
    for secret in there["secrets"] if there else ():
        body.setdefault(secret["name"], None)
    return body


def _secret_body(secret: str | SecretPart) -> Document:
    if isinstance(secret, str):
        return {"value": secret}
    return {"value": secret.value, "exposure": secret.exposure, "hosts": list(secret.hosts)}


def _silently_changed(step: Step, before: Document | None, after: Document) -> tuple[str, ...]:
    if before is None or step.details or before["updated_at_ms"] == after["updated_at_ms"]:
        return ()
    old = {secret["name"]: secret["updated_at_ms"] for secret in before["secrets"]}
    changed = [one["name"] for one in after["secrets"] if old.get(one["name"]) != one["updated_at_ms"]]
    return tuple(f"secret {name} has a new value" for name in changed)
