"""Profiles: descriptors in TOML, by name (shipped) or by path (one's own)."""

import tomllib
from importlib.resources import files
from pathlib import Path

from drivers.descriptor import Descriptor, descriptor_from
from isingeq.errors import ConfigError

SHIPPED = files("drivers") / "profiles"


def profile_names() -> list[str]:
    """Return the names of the profiles that ship."""
    found = (entry.name for entry in SHIPPED.iterdir())
    return sorted(name.removesuffix(".toml") for name in found if name.endswith(".toml"))


def load_profile(name: str) -> Descriptor:
    """Return a profile: a name that ships, or a path that ends in .toml.

    Raises:
        ConfigError: no such profile, no TOML, or a table that makes no sense.
    """
    if name.endswith(".toml"):
        try:
            text = Path(name).read_text(encoding="utf-8")
        except OSError as error:
            raise ConfigError(f"profile {name} cannot be read: {error.strerror}") from None
        except UnicodeDecodeError as error:
            raise ConfigError(f"profile {name} is no TOML: {error}") from None
    elif name in profile_names():
        text = (SHIPPED / f"{name}.toml").read_text(encoding="utf-8")
    else:
        known = ", ".join(profile_names())
        raise ConfigError(f"profile {name!r} is not known; there are {known}, or give a .toml file")
    try:
        return descriptor_from(tomllib.loads(text), name)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"profile {name} is no TOML: {error}") from None
