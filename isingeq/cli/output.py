"""What a command says: tables for people, a JSON object for programs, one line per error."""

import sys
import traceback
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from isingeq.errors import IsingeqError

if TYPE_CHECKING:
    from rich.progress import Progress, ProgressColumn

Json = Annotated[
    bool,
    typer.Option("--json", help="Print one JSON object as the last line; all else goes to stderr."),
]
Quiet = Annotated[bool, typer.Option("--quiet", help="Print the outcome and errors only.")]
Debug = Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")]

_PLAIN_WIDTH = 160  # a file or pipe has no width of its own


@dataclass(frozen=True, slots=True)
class Output:
    """Where a command's words go.

    Attributes:
        console: standard output, or standard error where that is kept free for JSON.
        json: print the result as one JSON object, last on standard output.
        quiet: print what was asked for and nothing on the way.
    """

    console: Console
    json: bool
    quiet: bool

    def line(self, text: str) -> None:
        """Print a line, unless quiet."""
        if not self.quiet:
            self.console.print(text, markup=False, highlight=False, soft_wrap=True)

    def answer(self, text: str) -> None:
        """Print a line that the command was called for; only JSON in quiet stands in for it."""
        if not (self.json and self.quiet):
            self.console.print(text, markup=False, highlight=False, soft_wrap=True)

    def warning(self, text: str) -> None:
        """Print a line on standard error, quiet or not."""
        print("warning:", text, file=sys.stderr)

    def bar(self, *columns: "ProgressColumn", expand: bool = False) -> "Progress":
        """Return a progress bar that is gone when it is done; shown on a terminal alone, and not in quiet."""
        from rich.progress import Progress

        return Progress(
            *columns,
            console=self.console,
            expand=expand,
            transient=True,
            disable=self.quiet or not self.console.is_terminal,
        )

    def table(self, title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """Print a table that the command was called for."""
        if self.json and self.quiet:
            return
        table = Table(*columns, title=title, title_justify="left")
        for row in rows:
            table.add_row(*row)
        self.console.print(table, markup=False)

    def result(self, record: Mapping[str, object]) -> None:
        """Print the result as JSON where that was asked for."""
        if self.json:
            from isingeq.experiments.run_folder import to_json

            print(to_json(record), flush=True)


@contextmanager
def command(*, json: bool, quiet: bool, debug: bool) -> Iterator[Output]:
    """Yield the output of a command; an error becomes one line on standard error and its exit code.

    Args:
        json: standard output is for one JSON object.
        quiet: only results and errors.
        debug: show the traceback of an error too.
    """
    console = Console(stderr=json)
    if not console.is_terminal:
        console.width = _PLAIN_WIDTH
    try:
        yield Output(console, json, quiet)
    except IsingeqError as error:
        _report(str(error), debug)
        raise typer.Exit(error.exit_code) from None
    except KeyboardInterrupt:
        _report("interrupted", debug)
        raise typer.Exit(130) from None
    except OSError as error:
        _report(f"{error.filename or 'the system'}: {error.strerror or error}", debug)
        raise typer.Exit(1) from None
    except typer.Exit:
        raise
    except Exception as error:
        _report(f"unexpected {type(error).__name__}: {error} (--debug shows where)", debug)
        raise typer.Exit(1) from None


def _report(text: str, debug: bool) -> None:
    if debug:
        traceback.print_exc()
    print("error:", " ".join(text.split()), file=sys.stderr)
