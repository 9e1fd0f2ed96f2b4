"""Whether pyplot shows figures in this session, and figures that it shows."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.backends.registry import BackendFilter, backend_registry
from matplotlib.figure import Figure

# Pyplot's label of the last figure made here for a backend that has no windows to show figures in.
LATEST = "pcode: latest figure"


def pyplot() -> ModuleType | None:
    """The module pyplot where it is in use: imported already, or in IPython; else None.

    In IPython importing it is what makes a notebook show figures.
    """
    shell = sys.modules.get("IPython")
    if "matplotlib.pyplot" not in sys.modules and (shell is None or shell.get_ipython() is None):
        return None
    import matplotlib.pyplot as plt

    # Loads the backend; that of notebooks then sets how figures are shown.
    plt.draw_if_interactive()  # type: ignore[no-untyped-call]
    return plt


def empty_axes(**options: Any) -> Axes | None:
    """The current Axes of pyplot if nothing has been drawn on it, or a new one on its empty current figure.

    So that functions draw where `pyplot.subplot` or `pyplot.figure` said, and never over another picture.

    Parameters
    ----------
    **options
        Of `Figure.add_subplot`; an Axes that is there already has to have the projection that these say.
    """
    plt = pyplot()
    if plt is None or not plt.get_fignums():
        return None
    fig = plt.gcf()
    if not fig.axes and not fig.subfigs:
        return fig.add_subplot(**options)  # type: ignore[no-any-return]
    ax = fig.axes and plt.gca()
    fits = ax and ax.name == options.get("projection", "rectilinear")
    return ax if fits and not ax.has_data() and not ax.texts and ax.axison else None


def discard(fig: Figure) -> None:
    """Take a figure away from pyplot, which would show it."""
    if "matplotlib.pyplot" in sys.modules:
        sys.modules["matplotlib.pyplot"].close(fig)


def new_figure(**options: Any) -> Figure:
    """A new figure, pyplot's where pyplot is in use, with the `options` of `pyplot.figure`.

    Where figures have no windows pyplot holds the last one only: scripts may draw any number.
    """
    plt = pyplot()
    if plt is None:
        kind = options.pop("FigureClass", Figure)
        return kind(**options)  # type: ignore[no-any-return]
    hidden = backend_registry.list_builtin(BackendFilter.NON_INTERACTIVE)  # type: ignore[no-untyped-call]
    if plt.get_backend().lower() in hidden:
        plt.close(LATEST)
        options |= {"num": LATEST}
    with rc_context({"figure.max_open_warning": 0}):
        return plt.figure(**options)  # type: ignore[no-any-return]
