"""All claims by name."""

from isingeq.errors import ConfigError
from isingeq.experiments.claims.barriers import Barriers
from isingeq.experiments.claims.budget import Budget
from isingeq.experiments.claims.claim import Claim
from isingeq.experiments.claims.depth import Depth
from isingeq.experiments.claims.noise import NoiseClaim
from isingeq.experiments.claims.starts import Starts

CLAIMS: dict[str, type[Claim]] = {
    claim.name: claim for claim in (Barriers, Depth, Budget, NoiseClaim, Starts)
}


def chosen(name: str, *, quick: bool) -> list[Claim]:
    """Return the claim of this name, or all of them for `all`.

    Raises:
        ConfigError: no claim is called so.
    """
    if name != "all" and name not in CLAIMS:
        raise ConfigError(f"no claim is called {name!r}; there are {', '.join(CLAIMS)}, and all")
    kinds = list(CLAIMS.values()) if name == "all" else [CLAIMS[name]]
    return [kind.quick() if quick else kind() for kind in kinds]
