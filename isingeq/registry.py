"""Backends by name: the SPEC grammar and the door for backends of others.

    SPEC     = (NAME [":" ARGUMENT] | URL or device path) ["?" KEY ["=" VALUE] ("&" KEY ["=" VALUE])*]

`conjugate?damping=0.5`, `neal`, `profile:chip.toml`, `serial:/dev/ttyACM0?baud=1000000`. A key without a value is
true. A name is an entry point of the group `isingeq.backends`: a callable `(argument, **options) -> Backend`. What
looks like a device path or a URL (`/dev/…`, `./board`, `COM3`, `scheme://…`) goes to the entry point `serial`.
"""

import difflib
import inspect
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points

from isingeq.backend import Backend
from isingeq.errors import ConfigError

GROUP = "isingeq.backends"
_DEVICE = re.compile(r"^(\.{0,2}/|COM\d+|[a-z][a-z0-9+.-]*://)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Spec:
    """A parsed SPEC: name of the entry point, its argument, its options as text."""

    name: str
    argument: str
    options: dict[str, str]


def parse_spec(text: str) -> Spec:
    """Parse a SPEC.

    Raises:
        ConfigError: empty, or an option without a key or with a key that stands twice.
    """
    head, _, query = text.partition("?")
    pairs = [pair.partition("=") for pair in query.split("&")] if query else []
    options = {key: value for key, _, value in pairs}
    if not head or len(options) != len(pairs) or not all(key for key, _, _ in pairs):
        raise ConfigError(f"backend {text!r} is not NAME[:ARGUMENT][?KEY[=VALUE]&...]")
    if _DEVICE.match(head):
        return Spec("serial", head, options)
    name, _, argument = head.partition(":")
    return Spec(name, argument, options)


def names() -> list[str]:
    """Return the names of all registered backends, sorted."""
    return sorted({point.name for point in entry_points(group=GROUP)})


def options(name: str) -> list[str]:
    """Return the options that a backend takes in its SPEC.

    Raises:
        ConfigError: unknown name.
    """
    return list(_options(_load(name)))


def needs_argument(name: str) -> bool:
    """Tell whether a backend is nothing without an argument: its `argument` has no default.

    Raises:
        ConfigError: unknown name.
    """
    first = next(iter(inspect.signature(_load(name)).parameters.values()), None)
    return first is not None and first.default is first.empty


def open_backend(text: str) -> Backend:
    """Open the backend that a SPEC names.

    Raises:
        ConfigError: unknown name or option, or a value of the wrong type.
    """
    spec = parse_spec(text)
    factory = _load(spec.name)
    options = typed_options(f"backend {spec.name!r}", factory, spec.options)
    return factory(spec.argument, **options)


def _load(name: str) -> Callable[..., Backend]:
    points: dict[str, EntryPoint] = {point.name: point for point in entry_points(group=GROUP)}
    if name not in points:
        near = difflib.get_close_matches(name, points, n=1)
        hint = (
            f"did you mean {near[0]!r}?"
            if near
            else f"there are {', '.join(sorted(points)) or 'none'}"
        )
        raise ConfigError(f"no backend is called {name!r}; {hint}")
    try:
        factory: Callable[..., Backend] = points[name].load()
    except (ImportError, AttributeError) as error:
        raise ConfigError(f"backend {name!r} cannot be loaded: {error}") from error
    return factory


def typed_options(
    owner: str, factory: Callable[..., object], given: Mapping[str, str]
) -> dict[str, object]:
    """Turn option texts into the types that a factory's keyword-only parameters are annotated with.

    What a factory with `**options` does not name goes through as text.

    Raises:
        ConfigError: an option that the factory does not take, or a value of the wrong type.
    """
    known = _options(factory)
    kinds = {p.kind for p in inspect.signature(factory).parameters.values()}
    typed: dict[str, object] = {}
    for key, text in given.items():
        if key in known:
            typed[key] = _convert(owner, key, text, known[key].annotation)
        elif inspect.Parameter.VAR_KEYWORD in kinds:
            typed[key] = text
        else:
            near = difflib.get_close_matches(key, known, n=1)
            hint = (
                f"did you mean {near[0]!r}?"
                if near
                else f"it takes {', '.join(known) or 'no options'}"
            )
            raise ConfigError(f"{owner} has no option {key!r}; {hint}")
    return typed


def _options(factory: Callable[..., object]) -> dict[str, inspect.Parameter]:
    return {
        key: p
        for key, p in inspect.signature(factory, eval_str=True).parameters.items()
        if p.kind is p.KEYWORD_ONLY
    }


def _convert(owner: str, key: str, text: str, wanted: object) -> object:
    """Convert an option's text: int, float or bool where the annotation says so, text otherwise."""
    if wanted is bool:
        if text.lower() in ("1", "true", "yes", ""):
            return True
        if text.lower() in ("0", "false", "no"):
            return False
        raise ConfigError(f"option {key}={text} of {owner} must be true or false")
    if not text:
        raise ConfigError(f"option {key} of {owner} needs a value: {key}=…")
    for kind, label in ((int, "a whole number"), (float, "a number")):
        if wanted in (kind, kind | None):
            try:
                return kind(text)
            except ValueError:
                raise ConfigError(f"option {key}={text} of {owner} must be {label}") from None
    return text
