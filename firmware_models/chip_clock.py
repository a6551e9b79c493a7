"""The clock of a virtual chip: seconds as its profile counts them, whatever the simulation takes."""

from firmware_models.chip_profile import Timing


class Clock:
    """Goes on with the work of a chip; it stands where the settle time is not known.

    Attributes:
        now_s: since the chip was switched on.
    """

    def __init__(self, timing: Timing) -> None:
        """Begin at 0."""
        self.now_s = 0.0
        self._timing = timing
        self._programmed: object = None

    def work(self, version: object, num_reads: int) -> float:
        """Let the time of some reads pass, and of programming where couplings changed; return it in seconds."""
        t = self._timing
        if t.settle_s is None:
            return 0.0
        passed = num_reads * (t.settle_s + (t.readout_s or 0.0) + (t.delay_s or 0.0))
        if version != self._programmed:
            passed += t.programming_s or 0.0
            self._programmed = version
        self.now_s += passed
        return passed
