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
        now = {each: signal.getsignal(each) for each in SIGNALS}
        assert now.pop(signal.SIGHUP) == signal.SIG_IGN  # a closing terminal says it twice
        assert set(now.values()) == {signal.SIG_DFL}
    assert [signal.getsignal(each) for each in SIGNALS] == before


def test_a_run_without_its_terminal_stops_in_silence():
    def announce():
        raise OSError("Input/output error")

    with stop_on_signal(announce) as asked:
        for _ in range(2):
            os.kill(os.getpid(), signal.SIGHUP)
        assert asked()


def test_nohup_is_heeded():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with stop_on_signal(lambda: None) as asked:
            os.kill(os.getpid(), signal.SIGHUP)
            assert not asked()
            os.kill(os.getpid(), signal.SIGTERM)
            assert asked()
        assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


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
