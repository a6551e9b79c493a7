import os
import signal
import threading

import pytest

from isingeq.experiments.stopping import SIGNALS, stop_on_signal


@pytest.mark.parametrize("number", SIGNALS)
def test_the_first_signal_asks_and_the_second_would_kill(number):
    before = [signal.getsignal(each) for each in SIGNALS]
    announced = []
    with stop_on_signal(lambda: announced.append(True)) as asked:
        assert not asked()
        os.kill(os.getpid(), number)
        assert asked()
        assert announced == [True]
        assert [signal.getsignal(each) for each in SIGNALS] == [signal.SIG_DFL, signal.SIG_DFL]
    assert [signal.getsignal(each) for each in SIGNALS] == before


def test_another_thread_leaves_signals_alone():
    seen = []

    def work():
        with stop_on_signal(lambda: None) as asked:
            seen.append((asked(), signal.getsignal(signal.SIGINT)))

    before = signal.getsignal(signal.SIGINT)
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [(False, before)]
