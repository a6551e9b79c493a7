"""From what a user says to the backend that solves."""

from isingeq import registry
from isingeq.errors import ConfigError
from isingeq.problem import Problem, lower

DENSE = 0.1, 100
"""Share of pairs that are coupled, and spins, from which bifurcation is the better guess; annealing wins elsewhere."""


def default_spec(problem: Problem) -> str:
    """Return the SPEC of what solves a problem where none is named."""
    share, spins = DENSE
    coupled = lower(problem).J.size
    dense = problem.n >= spins and coupled >= share * problem.n * (problem.n - 1) / 2
    return "bifurcation" if dense else "metropolis"


def solver_spec(spec: str, options: dict[str, object]) -> str:
    """Return a SPEC with options added; those that are None are left out.

    Args:
        spec: as the user gave it.
        options: by the name that they have in a SPEC.

    Raises:
        ConfigError: the backend has no such option, or the SPEC sets it already.
    """
    parsed = registry.parse_spec(spec)
    added = {key: value for key, value in options.items() if value is not None}
    there = registry.options(parsed.name)
    for key in added:
        if key not in there:
            raise ConfigError(
                f"backend {parsed.name!r} takes no {key}: leave --{key} away, "
                f"or choose a backend that does"
            )
        if key in parsed.options:
            raise ConfigError(f"{spec} says {key} already: leave it there, or leave --{key} away")
    words = "&".join(f"{key}={value}" for key, value in added.items())
    return f"{spec}{'&' if parsed.options else '?'}{words}" if words else spec
