"""A clean stop: the first Ctrl-C or SIGTERM asks for it, the second kills."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM)


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
        for each in SIGNALS:
            signal.signal(each, signal.SIG_DFL)
        asked.set()
        announce()

    before = {number: signal.signal(number, ask) for number in SIGNALS}
    try:
        yield asked.is_set
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
