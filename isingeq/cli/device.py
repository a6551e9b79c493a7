"""`isingeq device`: one device looked at, tested, recorded, and played back."""

import argparse
import shlex
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from isingeq.cli.output import Debug, Json, Output, Quiet, command

if TYPE_CHECKING:
    from drivers.board import Board

device = typer.Typer(
    name="device", help="Look at one device: info, selftest, record, replay.", no_args_is_help=True
)

_FAILED = 8
_SELFTEST = "selftest"

Url = Annotated[
    str, typer.Argument(metavar="URL", help="Device path or URL, as in /dev/ttyACM0?baud=115200.")
]
Reset = Annotated[bool, typer.Option("--reset", help="Reset the device too, and see it noticed.")]
File = Annotated[Path, typer.Argument(metavar="FILE", help="Of the conversation.")]
Command = Annotated[
    str | None,
    typer.Option(
        "--command",
        metavar="TEXT",
        help="An isingeq command instead of the self-test, as in 'train digits-binary --epochs 1'.",
    ),
]


@device.command()
def info(url: Url, json: Json = False, quiet: Quiet = False, debug: Debug = False) -> None:
    """Say what a device is, what it holds and how it does."""
    with command(json=json, quiet=quiet, debug=debug) as output:
        from drivers.inspection import inspect
        from drivers.open import open_board, parse_url

        with closing(open_board(*parse_url(url))) as board:
            found = inspect(board)
        output.table(url, ("", ""), found.rows())
        output.result(found.as_dict())


@device.command()
def selftest(
    url: Url, reset: Reset = False, json: Json = False, quiet: Quiet = False, debug: Debug = False
) -> None:
    """Test a device, step by step; what it holds is lost."""
    with command(json=json, quiet=quiet, debug=debug) as output:
        from drivers.open import open_board, parse_url

        with closing(open_board(*parse_url(url))) as board:
            _tested(output, board, url, reset)


@device.command()
def record(
    url: Url,
    file: File,
    reset: Reset = False,
    inner: Command = None,
    json: Json = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Test a device, or use it, and write down all that is said."""
    with command(json=json, quiet=quiet, debug=debug) as output:
        from drivers.open import open_board, parse_url
        from drivers.recording import Recorder
        from isingeq.errors import ConfigError

        target, options = parse_url(url)
        if inner is not None:
            if file.exists():
                raise ConfigError(f"{file} exists: name a new file for it")
            _run(inner, f"{url}{'&' if options else '?'}record={file}")
            output.line(f"the conversation is in {file}")
            return
        recorder = Recorder(file, note=f"{_SELFTEST}{' --reset' * reset}")
        with closing(open_board(target, options, recorder=recorder)) as board:
            _tested(output, board, url, reset)
        output.line(f"the conversation is in {file}")


@device.command()
def replay(
    file: File,
    inner: Command = None,
    json: Json = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Play a conversation back: the host must say what it said, byte by byte."""
    with command(json=json, quiet=quiet, debug=debug) as output:
        from drivers.board import Board
        from drivers.replay import ReplayTransport, witnessed
        from drivers.selftest import selftest
        from isingeq.errors import ConfigError

        if inner is not None:
            with witnessed() as opened:
                _run(inner, f"replay://{file}")
            # What the command no longer says shows only here: it does not know that it is played back.
            num_lines = sum(played.finish() for played in opened)
            output.answer(f"{file}: the host said the same, {num_lines} lines")
            output.result({"identical": True, "lines": num_lines})
            return
        played = ReplayTransport(file)
        words = played.note.split()
        if words[:1] != [_SELFTEST]:
            wanted = shlex.quote(_inner(played.note))
            raise ConfigError(f"{file} was recorded by another command: give --command {wanted}")
        with closing(Board(lambda _: played.again())) as board:
            steps = list(selftest(board, reset="--reset" in words))
            num_lines = played.finish()
        output.answer(f"identical: {len(steps)} steps, {num_lines} lines of {file}")
        output.result({"identical": True, "steps": len(steps), "lines": num_lines})


def _tested(output: Output, board: "Board", url: str, reset: bool) -> None:
    """Run the self-test, and leave with the exit code of a failed device if it failed."""
    from drivers.selftest import selftest

    transport = board.session.transport
    started, steps = transport.now(), []
    for step in selftest(board, reset=reset):
        steps.append(step)
        output.line(f"{step.outcome:10s} {step.name:20s} {step.figure}")
    total_s = transport.now() - started
    counts = {
        kind: sum(s.outcome == kind for s in steps) for kind in ("ok", "failed", "not tested")
    }
    told = ", ".join(f"{count} {kind}" for kind, count in counts.items() if count)
    name = board.session.descriptor.maker.model
    output.answer(f"{name} at {url}: {told}, in {total_s:.2f} s")
    output.result(
        {
            "url": url,
            "device": name,
            "uid": f"{board.session.welcome.uid:#x}",
            "kind": transport.kind,
            "passed": not counts["failed"],
            "seconds": total_s,
            "steps": [step.as_dict() for step in steps],
        }
    )
    if counts["failed"]:
        raise typer.Exit(_FAILED)


def _inner(note: str) -> str:
    """Return the command to play a recording back with: its note is the command line that it was made by."""
    options = argparse.ArgumentParser(add_help=False, allow_abbrev=False, exit_on_error=False)
    options.add_argument("--command")
    options.add_argument("--backend")
    try:
        found, words = options.parse_known_args(shlex.split(note)[1:])
    except (ValueError, argparse.ArgumentError):  # it was cut short
        return note
    return found.command or shlex.join(words)


def _run(inner: str, spec: str) -> None:
    """Run another command of isingeq on this backend; its failure is this one's."""
    from isingeq.cli.commands import app
    from isingeq.errors import ConfigError

    try:
        code = app(args=[*shlex.split(inner), "--backend", spec], standalone_mode=False)
    except Exception as error:  # how it was called; what it does, it reports itself
        said = error.format_message() if hasattr(error, "format_message") else str(error)
        raise ConfigError(
            f"--command {inner!r}: {said.rstrip('.')}; give a command that takes --backend"
        ) from None
    if code:
        raise typer.Exit(code)
