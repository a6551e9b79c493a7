"""What embedding did to a problem, as plain data for results."""

from dataclasses import dataclass

from calibration.embedding.chains import Embedding
from calibration.embedding.strength import Strength


@dataclass(frozen=True)
class EmbedReport:
    """What embedding did in one settle.

    Attributes:
        found: way in which the embedding was found: identity means that nothing was changed.
        num_units: units of the chip in chains.
        mean_chain: units of the chip for every unit of the problem.
        longest_chain: units.
        chain_strength: coupling inside chains, in units of the problem's; None where there are no chains.
        fixed: it was given; otherwise the couplings of the first problem chose it.
        num_rechosen: times that couplings needed more and it was doubled, since the backend was opened.
        broken_chains: share of chains, over all samples and reads, whose units did not agree.
    """

    found: str
    num_units: int
    mean_chain: float
    longest_chain: int
    chain_strength: float | None
    fixed: bool
    num_rechosen: int
    broken_chains: float
    layer: str = "embed"

    @classmethod
    def of(cls, embedding: Embedding, strength: Strength, broken: float) -> "EmbedReport":
        """Return what there is to tell."""
        return cls(
            found=embedding.found,
            num_units=embedding.units.size,
            mean_chain=embedding.units_per_unit,
            longest_chain=int(embedding.lengths.max()),
            chain_strength=None if embedding.found == "identity" else strength.value,
            fixed=strength.given is not None,
            num_rechosen=strength.num_rechosen,
            broken_chains=broken,
        )

    def as_dict(self) -> dict[str, object]:
        """Return plain data."""
        return dict(vars(self))
