"""The command that serves a board to other programs."""

import json
import os
import signal
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest
import typer
from emulated import Talk, need

from drivers.transport import SerialTransport
from drivers.wire.constants import SHUTDOWN_MAGIC, Opcode, Status
from isingeq.cli.emulate import emulate

ROOT = Path(__file__).parents[2]
START = "import typer; from isingeq.cli.emulate import emulate; typer.run(emulate)"


@contextmanager
def served(*arguments):
    """Yield a running command and the first line it says; end it however the test ended."""
    with subprocess.Popen(
        [sys.executable, "-c", START, *arguments], cwd=ROOT, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True, env={**os.environ, "COLUMNS": "200"},
    ) as process:  # fmt: skip
        try:
            yield process, (process.stderr if "--json" in arguments else process.stdout).readline()
        finally:
            process.kill()


def greeted(url):
    talk = Talk(SerialTransport(url))
    talk.greet()
    assert talk.echo()
    return talk


@pytest.mark.parametrize(
    "end", [signal.SIGTERM, pytest.param(signal.SIGINT, marks=pytest.mark.slow)]
)
def test_a_model_is_served_until_a_signal(end, tmp_path):
    link = str(tmp_path / "board")
    with served("ref-avr64", "--link", link, "--json", "--faults", "stall@ECHO:7") as (
        process,
        said,
    ):
        assert said == f"ref-avr64 (simulated) at {link}\n"
        greeted(link)
        process.send_signal(end)
        out, err = process.communicate(timeout=20)
    assert process.returncode == 0, err
    told = json.loads(out)
    assert (told["board"], told["kind"], told["url"]) == ("ref-avr64", "simulated", link)
    assert told["bytes_to_device"] > 20
    assert told["bytes_to_host"] > 20
    assert told["ended"] == "stopped"
    assert "bytes to the device" in err
    assert not Path(link).is_symlink()


@pytest.mark.slow
def test_an_emulator_is_served_over_tcp():
    need("lm3s")
    with served("lm3s", "--tcp", "0", "--uid", "5") as (process, said):
        board, url = said.split(" (emulated) at ")
        assert board == "lm3s"
        greeted(url.strip()).transport.close()
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=20)
    assert process.returncode == 0, err
    assert "to the host" in out


def test_an_emulator_that_dies_is_an_error():
    need("lm3s")
    with served("lm3s", "--tcp", "0") as (process, said):
        greeted(said.split(" at ")[1].strip()).transport.close()
        found = subprocess.run(
            ["ps", "--ppid", str(process.pid), "-o", "pid="], capture_output=True, text=True
        )
        os.kill(int(found.stdout), signal.SIGKILL)
        _, err = process.communicate(timeout=20)
    assert process.returncode == 8
    assert err == (
        "error: lm3s is gone: DeviceError: the emulator has ended with code -9: start it again\n"
    )


def test_an_emulator_that_is_told_to_end_is_none():
    need("lm3s")
    with served("lm3s", "--tcp", "0") as (process, said):
        talk = greeted(said.split(" at ")[1].strip())
        magic = SHUTDOWN_MAGIC.to_bytes(4, "little")
        assert talk.ask(Opcode.SHUTDOWN, magic).payload == bytes([Status.OK])
        out, err = process.communicate(timeout=20)
    assert (process.returncode, err) == (0, "")
    assert "the device has ended; " in out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("nosuch",), "nosuch"),
        (("ref-avr64", "--faults", "flop:1"), "flop"),
        (("ref-avr64", "--tcp", "0", "--link", "here"), "--link"),
    ],
)
def test_what_cannot_be_served_is_one_line(arguments, message, capsys):
    app = typer.Typer()
    app.command()(emulate)
    with pytest.raises(SystemExit) as end:
        app(arguments)
    assert end.value.code == 2
    told = capsys.readouterr().err
    assert told.startswith("error: ")
    assert message in told
    assert len(told.splitlines()) == 1
