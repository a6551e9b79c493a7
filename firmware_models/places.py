"""Where a part keeps its memories, so that a harness can let them rot: a file that the build leaves beside the ELF.

Couplings lie in a square array of one byte each, row i from column 0 on, every pair twice; all other memories lie as
READBACK gives them.
"""

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path

from drivers.profile import load_profile
from drivers.record import record_from
from drivers.wire.constants import Memory
from drivers.wire.packing import packed_bytes, value_bytes
from firmware_models.memory import LEG
from isingeq.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Places:
    """Addresses in one firmware.

    Attributes:
        sha256: of its ELF.
        profile: of the board.
        num_units: of the u16 that says how many spins are loaded.
        couplings: of the first of the memories; likewise the others.
    """

    sha256: str
    profile: str
    num_units: int
    couplings: int
    fields: int
    states: int
    clamps: int
    legs: int

    def spots(self, memory: Memory, offset: int, *, num_spins: int) -> tuple[int, ...]:
        """Return the addresses of byte `offset` of a memory, modulo its size; none where it is empty."""
        descriptor, n = load_profile(self.profile), num_spins
        slots = descriptor.slots(n) if n else 0
        first, size = {
            Memory.COUPLINGS: (self.couplings, descriptor.topology.num_pairs(n) if n else 0),
            Memory.FIELDS: (self.fields, slots * n * value_bytes(descriptor.field.bits)),
            Memory.STATES: (self.states, slots * packed_bytes(n)),
            Memory.CLAMPS: (self.clamps, packed_bytes(n)),
            Memory.LEGS: (self.legs, descriptor.schedule.legs * LEG.itemsize),
        }[memory]
        if not size:
            return ()
        if memory is not Memory.COUPLINGS:
            return (first + offset % size,)
        i, j = descriptor.topology.pairs(n)[offset % size].tolist()
        width = descriptor.units.most
        return first + i * width + j, first + j * width + i


def places_file(elf: Path) -> Path:
    """Return where the places of an ELF are written down."""
    return elf.with_suffix(".json")


def places_text(places: Places) -> str:
    """Return the file of these places."""
    return json.dumps(asdict(places), indent=1) + "\n"


def read_places(elf: Path) -> Places:
    """Return the places in an ELF.

    Raises:
        ConfigError: nobody wrote them down, or those of another build.
    """
    file, todo = places_file(elf), "take lm3s as it ships, or model://, for memory that rots"
    try:
        data = json.loads(file.read_text(encoding="utf-8"))
        digest = hashlib.sha256(elf.read_bytes()).hexdigest()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ConfigError(f"where {elf} keeps its memory is not known, {file}: {reason}; {todo}") from None  # fmt: skip
    places = record_from(Places, data, str(file))
    if places.sha256 != digest:
        raise ConfigError(f"{file} is of another build than {elf}: {todo}")
    return places
