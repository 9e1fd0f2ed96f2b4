"""Import paths ``module:name`` of functions, and what stands there."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.machinery import PathFinder
from pathlib import Path
from typing import Any

from ..base.errors import InputError, cut

# Public homes of functions that say that they are from a private module.
PUBLIC = ("jax.numpy", "jax.nn", "jax.lax", "jax.scipy.special")


def import_path(f: Any, also: Any = None) -> str | None:
    """``module:name`` under which `f`, or an object `also` made of it, can be imported; None if it cannot.

    What is defined in a script or a notebook cannot, nor what is made inside a function.
    """
    module, name = getattr(f, "__module__", None), getattr(f, "__qualname__", None)
    if not isinstance(module, str) or module == "__main__":
        return None
    homes = [home for home in PUBLIC if module.startswith("jax")] + [module]
    for home in homes if isinstance(name, str) else ():
        found: Any = sys.modules.get(home)
        for part in str(name).split("."):
            found = getattr(found, part, None)
        if found is f:
            return f"{home}:{name}"
    # A lambda may have a name in its module all the same.
    there = vars(sys.modules[module]).items() if module in sys.modules else ()
    return next((f"{module}:{key}" for key, value in there if value is f or value is also), None)


def imported(where: str, path: str) -> Any:
    """What stands at an import path; this runs the code of its module.

    Parameters
    ----------
    where : str
        The argument or key to name in errors.
    path : str
        ``module:name``.

    Raises
    ------
    InputError
        If there is no such module, it cannot be imported, or it has no such name.
    """
    module, colon, name = path.partition(":")
    if not colon or not all(part.isidentifier() for part in (*module.split("."), *name.split("."))):
        raise InputError(where, f"must be module:name, such as mymodule:softsign, not {path!r}")
    _check_not_another(where, module)
    try:
        found: Any = importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name is not None and (module == error.name or module.startswith(f"{error.name}.")):
            what = f"there is no module {module} here or where Python looks; name its folder by PYTHONPATH"
            raise InputError(where, what) from None
        raise InputError(where, f"module {module} cannot be imported ({error})") from error
    except (Exception, SystemExit) as error:
        told = f"{type(error).__name__}: {' '.join(str(error).split())[:100]}"
        raise InputError(where, f"module {module} cannot be imported ({told})") from error
    for part in name.split("."):
        if not hasattr(found, part):
            raise InputError(where, f"module {module} has no {name}; give a function that is there")
        found = getattr(found, part)
    return found


def _check_not_another(where: str, module: str) -> None:
    """Raise InputError if a module of this name has been imported from another file than is found now."""
    name = module.partition(".")[0]
    loaded = getattr(sys.modules.get(name), "__file__", None)
    spec = PathFinder.find_spec(name) if loaded else None
    if loaded and spec and spec.has_location and spec.origin:
        here, there = Path(spec.origin).resolve(), Path(loaded).resolve()
        if here != there:
            meant, other = (cut(str(path), 40, 0.8) for path in (here, there))
            what = f"module {name} is meant to be {meant}, but {other} has been imported"
            raise InputError(where, f"{what}; rename one, or use a fresh process")


@contextmanager
def importable(folders: Sequence[Path]) -> Iterator[None]:
    """A stretch in which modules of these folders can be imported."""
    before = list(sys.path)
    sys.path[:0] = [str(folder.resolve()) for folder in folders]
    importlib.invalidate_caches()
    try:
        yield
    finally:
        sys.path[:] = before
