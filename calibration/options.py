"""How a problem is mapped to a chip, where there is a choice; all defaults work."""

from dataclasses import dataclass

from calibration.factor import HEADROOM
from calibration.quantise import Way
from isingeq.errors import ConfigError


@dataclass(frozen=True)
class MappingOptions:
    """Options of `mapped`; one for a layer that a backend does not need is not looked at.

    Attributes:
        headroom: of Scale where no limits are known: range over largest value, at the least.
        rounding: of Quantise: nearest or stochastic.
        programmings: of a settle, reads spread over them; more than 1 is dither and needs stochastic rounding.
        chain_strength: of Embed, in units of the couplings asked for; None for its rule.
        gauges: that the reads of a settle are spread over, 0 for none.
        copies: of the problem on the chip, each a read of its own.
        check_every: settles from one check for drift to the next, 0 for none.
        drift_reserve: by how much field offsets may drift, as a share of the end of the range of fields.
        seed: of stochastic rounding, gauges, checks and searches for embeddings.

    Raises:
        ConfigError: a number below its least.
    """

    headroom: float = HEADROOM
    rounding: Way = "nearest"
    programmings: int = 1
    chain_strength: float | None = None
    gauges: int = 0
    copies: int = 1
    check_every: int = 0
    drift_reserve: float = 0.1
    seed: int = 0

    def __post_init__(self) -> None:
        whole = (self.gauges, self.copies - 1, self.check_every, self.seed)
        if min(whole) < 0 or not 0 < self.drift_reserve < 1:
            raise ConfigError(
                f"gauges {self.gauges}, check_every {self.check_every} and seed {self.seed} are 0 or more, copies "
                f"{self.copies} 1 or more, drift_reserve {self.drift_reserve:g} is between 0 and 1"
            )
