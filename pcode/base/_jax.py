"""JAX as pcode uses it: float64, and compiled code kept between processes.

The one place where JAX's global state is set. Compiled code goes to the user's cache folder; the
environment variable PCODE_CACHE names another folder, or turns it off with ``off``. A cache folder
that the user has given to JAX itself is left as it is.
"""

import os
import re
import threading
from collections.abc import Callable
from functools import update_wrapper, wraps
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import jaxlib.version
from platformdirs import user_cache_path

from .errors import ComputationError

__all__ = ["IN_ORDER", "Alone", "accepted", "compiled", "jax", "jnp", "told"]

# A debug flag of XLA, which may drop such flags at any time; these versions are known to have it.
_SCHEDULER = {"xla_cpu_scheduler_type": "CPU_SCHEDULER_TYPE_MEMORY_OPTIMIZED"}
_HAVE_IT = ("0.10.",)


def accepted(options: dict[str, str]) -> bool:
    """Whether this version of XLA knows these options."""
    try:
        jax.jit(lambda: 0.0, compiler_options=options).lower().compile()
    except jax.errors.JaxRuntimeError:
        return False
    return True


# Compiler options for functions that solvers call thousands of times: kernels run one after another, each on
# all cores if it is large. By default XLA hands them to threads, which for small networks takes longer than
# the kernels. Without the flag results are the same, only later.
IN_ORDER = _SCHEDULER if jaxlib.version.__version__.startswith(_HAVE_IT) or accepted(_SCHEDULER) else {}


def told(function: Callable[..., Any]) -> Callable[..., Any]:
    """A compiled function whose failures while it runs are told as ComputationError, in one line."""

    @wraps(function)
    def called(*args: Any, **kwargs: Any) -> Any:
        try:
            return function(*args, **kwargs)
        except (jax.errors.JaxRuntimeError, ValueError) as error:
            why = _failure(error)
            if why is None:
                raise
            raise ComputationError(why) from error

    return called


class Alone:
    """A compiled function that waits until no other one of these is running in another thread.

    Where two programs run at the same time and both call LAPACK for many matrices, which threads of XLA's own
    then share, they may wait for each other for ever (seen with jaxlib 0.10).
    """

    _running = threading.RLock()

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function = told(function)
        update_wrapper(self, function)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """The function's results.

        Raises
        ------
        ComputationError
            If a function of the user's that it calls back raises, or there is not enough memory.
        """
        with self._running:
            return self._function(*args, **kwargs)


# How XLA begins what it says of an error; JAX raises it as JaxRuntimeError, or as ValueError where it calls a
# function again.
_CODE = re.compile(r"(INTERNAL|RESOURCE_EXHAUSTED|[A-Z]+(_[A-Z]+)+): ")


def _failure(error: Exception) -> str | None:
    """What became of compiled code that was running; None if the error is of another kind."""
    code = _CODE.match(str(error))
    if code is None:
        return None
    if code[1] == "RESOURCE_EXHAUSTED":
        return f"there is not enough memory: {str(error)[code.end() :]}"
    lines = str(error)[code.end() :].splitlines()
    # What a traceback of Python ends with stands behind its last line of code.
    of_code = [k for k, line in enumerate(lines[:-1]) if line.startswith("  ")]
    return " ".join(lines[of_code[-1] + 1 :] if of_code else lines)


def compiled(**options: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Decorator of functions that solvers call thousands of times, with options of `jax.jit`."""
    return lambda function: Alone(jax.jit(function, compiler_options=IN_ORDER, **options))


def _keep_compiled_code() -> None:
    setting = os.environ.get("PCODE_CACHE", "")
    if setting == "off" or getattr(jax.config, "jax_compilation_cache_dir", None) is not None:
        return
    folder = Path(setting) if setting else user_cache_path("pcode") / "jax"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:  # the home folder is not writable: compile again each time
        return
    if os.access(folder, os.W_OK):
        jax.config.update("jax_compilation_cache_dir", str(folder))
        # Functions that compile quickly are kept too: a run has dozens of them.
        jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)


jax.config.update("jax_enable_x64", True)
# Solvers wait for each call, and most calls take less time than handing them to another thread.
jax.config.update("jax_cpu_enable_async_dispatch", False)
_keep_compiled_code()
