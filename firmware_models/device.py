"""What a served device is, whoever plays it: bytes in, bytes out, time as an argument. Nothing here waits or sleeps."""

from typing import Literal, Protocol

from drivers.descriptor import Descriptor
from drivers.wire.constants import Memory, ResetCause

Kind = Literal["simulated", "emulated"]


class Device(Protocol):
    """A board at the far end of a line."""

    @property
    def descriptor(self) -> Descriptor:
        """What it says of itself."""

    @property
    def kind(self) -> Kind:
        """Simulated by a model, or emulated by its own firmware."""

    @property
    def busy(self) -> bool:
        """A run is under way, so `work` is due."""

    def feed(self, data: bytes, now: float) -> bytes:
        """Take bytes from the line, cut anywhere; return those that go back at once."""

    def work(self, now: float) -> tuple[bytes, float]:
        """End the slice of the run that was begun, and begin the next.

        Returns bytes that go out now, and the seconds until `work` is due again; the line may be fed meanwhile.
        """

    def tick(self, now: float) -> bytes:
        """Let time pass: what is due by itself happens; return bytes that go out."""

    def reset(self, cause: ResetCause) -> bytes:
        """Start anew, as if power had been cycled; return the BOOTED event."""

    def corrupt(self, memory: Memory, offset: int, flips: int) -> None:
        """Flip the bits set in `flips` (a byte) in byte `offset` of a memory, modulo its size.

        Bytes are counted as READBACK gives them. A memory that is empty has no bits to flip.
        """
