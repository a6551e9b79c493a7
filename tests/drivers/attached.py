"""Boards at the end of a pseudo-terminal, and small jobs for them."""

import os
import select
import threading
import tty
from contextlib import contextmanager

import numpy as np

from drivers.job import Job
from firmware_models.faults import plan_from
from firmware_models.serving import serve, target


def attached(uid=0, *, faults="", link=None, profile="ref-arm192"):
    """Serve a model at a pseudo-terminal; leaving it unplugs it for ever."""
    return serve(target(profile, uid=uid)[0], faults=plan_from(faults, seed=0), link=link)


@contextmanager
def strange_port(says=b""):
    """Yield the path of a port where something else than a device answers everything, or nothing."""
    master, slave = os.openpty()
    tty.setraw(slave)

    def answer():
        while select.select([master, end], [], [])[0] == [master]:
            os.read(master, 4096)
            os.write(master, says)

    end, stop = os.pipe()
    thread = threading.Thread(target=answer)
    thread.start()
    try:
        yield os.ttyname(slave)
    finally:
        os.close(stop)
        thread.join()
        for file in (master, slave, end):
            os.close(file)


def small_job(*, seed=5, samples=6, n=12, sweeps=8):
    rng = np.random.default_rng(3)
    couplings = rng.integers(-9, 10, n * (n - 1) // 2)
    fields = rng.integers(-9, 10, (samples, n))
    return Job(couplings, fields, np.array([[16, 200, sweeps]]), 4, 2, seed)
