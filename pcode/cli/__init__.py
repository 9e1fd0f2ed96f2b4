"""The command `pcode`: its commands, what they print, and how the process ends.

It imports all rooms below, each command what it needs, when it is called.
"""

from __future__ import annotations

import atexit
import gc
import logging
import os
import sys
import warnings
from collections.abc import Sequence

from ..base.errors import InputError
from .ending import BROKEN_PIPE, DONE, complain, open_standard_files
from .signals import Signals, Stopped

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Parameters
    ----------
    arguments : sequence of str, optional
        Without the program's name; those of the process where left out.

    Returns
    -------
    int
        0 done; 1 the integration failed, or what was computed could not be written where it was to go and
        is kept elsewhere; 2 bad input or usage, told in one line on stderr; 130, 143 or 129 stopped by
        SIGINT, SIGTERM or SIGHUP; 141 nobody reads the output any more.
    """
    own_process = arguments is None
    if arguments is None:
        arguments = sys.argv[1:]
        _hush()
        open_standard_files()
        # What imports allocate is never garbage: to search it again and again takes a tenth of a short run.
        gc.disable()
        atexit.register(gc.freeze)  # nor at the end, when all of it goes anyway
    with Signals(own_process) as signals:
        try:
            code = _run(arguments, signals)
            sys.stdout.flush()
        except Stopped:
            code = DONE
        except BrokenPipeError:
            # What is still buffered cannot be written at exit either.
            _write_nowhere()
            code = BROKEN_PIPE
        except Exception as error:
            # A signal that arrives deep inside a library may come out as an error of that library; and after
            # SIGHUP there may be no terminal any more to write to.
            if signals.received is not None:
                _write_nowhere()
                code = DONE
            elif isinstance(error, OSError):  # stdout is a file on a full disk
                _write_nowhere(1)
                code = complain(f"stdout: {error.strerror or error}; give a place that can be written")
            else:
                raise
    return code if signals.received is None else 128 + signals.received


def _run(arguments: Sequence[str], signals: Signals) -> int:
    # typer takes a moment to import; by now the signals are caught.
    from typer import TyperException

    from .sweep_commands import app

    try:
        code = app(list(arguments), standalone_mode=False, prog_name="pcode", obj=signals)
    except TyperException as error:
        message = error.format_message().rstrip(".")
        return complain(f"{message}{'' if message.endswith('?') else ';'} pcode --help tells more")
    except InputError as error:
        return complain(str(error))
    except MemoryError as error:
        why = f" ({error})" if str(error) else ""
        right = "use smaller layers or fewer samples, or save fewer times"
        return complain(f"there is not enough memory for this{why}; {right}")
    except SystemExit:  # typer's answer to a broken pipe
        raise BrokenPipeError from None
    except BrokenPipeError:
        raise
    except OSError as error:
        return complain(
            f"{error.filename or 'output'}: {error.strerror or error}; give a place that can be written"
        )
    return code if isinstance(code, int) else DONE


def _write_nowhere(*streams: int) -> None:
    """Drop what is still to be written to these, or to both stdout and stderr, at exit too."""
    for stream in streams or (1, 2):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream)


def _hush() -> None:
    """Keep stderr for what the command itself has to say, unless Python is asked for warnings."""
    if not sys.warnoptions:
        warnings.simplefilter("ignore")
    logging.getLogger("matplotlib").setLevel(logging.ERROR)
    logging.getLogger("jax").setLevel(logging.CRITICAL)  # it would print tracebacks of the user's functions
