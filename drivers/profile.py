"""Profiles: descriptors in TOML, by name (shipped) or by path (one's own)."""

import tomllib
from importlib.resources import files
from importlib.resources.abc import Traversable
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
    if not name.endswith(".toml") and name not in profile_names():
        known = ", ".join(profile_names())
        raise ConfigError(f"profile {name!r} is not known; there are {known}, or give a .toml file")
    return descriptor_from(tables_of(name, SHIPPED), name)


def tables_of(name: str, shipped: Traversable) -> dict[str, object]:
    """Return what a profile holds: of a path that ends in .toml, or of a name among those that ship.

    Raises:
        ConfigError: it cannot be read, or is no TOML.
    """
    file = Path(name) if name.endswith(".toml") else shipped / f"{name}.toml"
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"profile {name} cannot be read: {error.strerror}") from None
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"profile {name} is no TOML: {error}") from None
