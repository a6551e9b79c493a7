"""The SPEC of a backend, written from its options: what `isingeq.registry` parses."""

import inspect
from collections.abc import Callable

from isingeq.errors import ConfigError


def spec_text(factory: Callable[..., object], argument: str, **options: bool | int | float) -> str:
    """Return NAME?KEY=VALUE&... with the options that differ from the factory's defaults.

    Raises:
        ConfigError: an argument, which none of these backends takes.
    """
    name = factory.__name__
    if argument:
        raise ConfigError(
            f"backend {name!r} takes no argument, got {argument!r}: write {name!r}, then ?KEY=VALUE"
        )
    defaults = inspect.signature(factory).parameters
    changed = [
        f"{key}={value}".lower() for key, value in options.items() if value != defaults[key].default
    ]
    return name + ("?" + "&".join(changed) if changed else "")
