"""However a process ends, no emulator outlives it."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from emulated import EMULATED, need

ROOT = Path(__file__).parents[2]
SCRIPT = """
import os, signal, sys, threading, time
from firmware_models import processes
from firmware_models.emulator import open_emulator
if sys.argv[1] == "unguarded":
    which = processes.shutil.which
    processes.shutil.which = lambda name: None if name == "setpriv" else which(name)
opened = []
def start():
    opened.extend(open_emulator(name) for name in sys.argv[2:])
thread = threading.Thread(target=start)  # a thread that ends: emulators must not end with it
thread.start()
thread.join()
time.sleep(0.1)
pids = [board.bridge._target.process.pid for board in opened]
assert all(os.path.exists(f"/proc/{pid}") for pid in pids)
print(*pids, flush=True)
match sys.argv[1]:
    case "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    case "failed" | "unguarded":
        raise ValueError("something else")
    case "interrupted":
        time.sleep(60)
"""


def alive(pid):
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except OSError:
        return False
    return state != "Z"


@pytest.mark.parametrize(
    "end",
    [
        "killed",
        pytest.param("interrupted", marks=pytest.mark.slow),
        pytest.param("failed", marks=pytest.mark.slow),
        pytest.param("unguarded", marks=pytest.mark.slow),
    ],
)
def test_emulators_die_with_their_parent(end):
    for name in EMULATED:
        need(name)
    command = [sys.executable, "-c", SCRIPT, end, *EMULATED]
    with subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        start_new_session=True,
    ) as process:  # fmt: skip
        pids = [int(word) for word in process.stdout.readline().split()]
        assert len(pids) == len(EMULATED)
        if end == "interrupted":
            os.killpg(process.pid, signal.SIGINT)
        process.communicate(timeout=30)
    assert process.returncode == {"killed": -9, "interrupted": -2}.get(end, 1)
    deadline = time.monotonic() + 5
    while any(map(alive, pids)) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert [pid for pid in pids if alive(pid)] == []
