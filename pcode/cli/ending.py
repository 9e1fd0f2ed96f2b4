"""What a command prints, and how it ends: its exit code; and when the search for garbage begins.

All that goes to the terminal passes through here: names come from files, and may hold characters that would
do something to a terminal.
"""

from __future__ import annotations

import gc
import os
import sys

from ..base.errors import UNSAFE, cut, visible

DONE, FAILED, BAD_INPUT, BROKEN_PIPE = 0, 1, 2, 141


def complain(message: str, code: int = BAD_INPUT, whole: bool = False) -> int:
    """Say what is wrong, in one line on stderr, not too long unless `whole`; return the exit code."""
    told = visible(message)
    print(f"pcode: {told if whole else cut(told)}", file=sys.stderr)  # noqa: T201 - the command's own output
    return code


def say(text: str, *, err: bool = False) -> None:
    """Print lines that say what a command has to say, on stdout or on stderr."""
    shown = "\n".join(UNSAFE.sub(lambda found: ascii(found[0])[1:-1], line) for line in text.split("\n"))
    print(shown, file=sys.stderr if err else sys.stdout)


def open_standard_files() -> None:
    """Have the three standard files open, if only to nowhere, and never refuse a letter.

    Where one is closed, the next file that is opened, such as the result, would take its place, and receive
    what libraries print.
    """
    for handle, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(handle)
        except OSError:
            os.open(os.devnull, os.O_RDONLY if handle == 0 else os.O_WRONLY)  # takes the lowest number free
        if getattr(sys, name) is None:
            setattr(sys, name, open(handle, "r" if handle == 0 else "w", closefd=False))  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")


def imports_done() -> None:
    """Begin to look for garbage, where `main` has put that off; what imports have made stays."""
    if not gc.isenabled():
        gc.freeze()
        gc.set_threshold(50_000)
        gc.enable()
