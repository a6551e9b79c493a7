"""A clean stop: the first Ctrl-C, SIGTERM or end of the terminal asks for it, the second kills."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType

_HUNG_UP = getattr(signal, "SIGHUP", None)  # none on Windows
SIGNALS = (signal.SIGINT, signal.SIGTERM, *([] if _HUNG_UP is None else [_HUNG_UP]))


@contextmanager
def stop_on_signal(announce: Callable[[], None]) -> Iterator[Callable[[], bool]]:
    """Yield a function that says whether a stop was asked for.

    Args:
        announce: called once, when the first signal comes.
    """
    if threading.current_thread() is not threading.main_thread():
        yield lambda: False  # signals are the main thread's alone
        return
    asked = threading.Event()

    def ask(number: int, frame: FrameType | None) -> None:
        for each in before:  # a terminal that closes says so twice, once by its shell
            signal.signal(each, signal.SIG_IGN if each == _HUNG_UP else signal.SIG_DFL)
        asked.set()
        with suppress(OSError):  # the terminal may be gone
            announce()

    before = {}
    for number in SIGNALS:
        if number == _HUNG_UP and signal.getsignal(number) == signal.SIG_IGN:
            continue  # nohup: the run is to outlive its terminal
        before[number] = signal.signal(number, ask)
    try:
        yield asked.is_set
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
