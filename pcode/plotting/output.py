"""Figures into files."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from matplotlib import rc_context, rcParams
from matplotlib.backend_bases import FigureCanvasBase
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from ..base import checks
from ..base.errors import InputError
from ..base.files import replacing
from .sizes import checked_dpi
from .style import StyledFigure, show_broken_math, style

# What to leave out of each format, so that the same figure gives the same file.
FORMATS: dict[str, dict[str, None]] = {
    ".png": {"Software": None},
    ".svg": {"Date": None},
    ".pdf": {"CreationDate": None},
}


def save_figure(fig: Figure, path: str | os.PathLike[str], *, dpi: float | None = None) -> None:
    """Write `fig` as PNG, SVG or PDF, under a temporary name that is then renamed.

    Parameters
    ----------
    fig : matplotlib.figure.Figure
    path : str or path
        Its suffix says the format: .png, .svg or .pdf (text kept as text).
    dpi : float, optional
        Dots an inch of a .png, and of what is made of dots in the others, 20 to 2400; 160 where left out.

    Raises
    ------
    InputError
        If the suffix is none of these, `dpi` is too small or too large, or no file can be written there.
    OSError
        If writing fails later on.
    """
    checks.instance("fig", fig, Figure, "a matplotlib Figure")
    written = checks.path("path", path).suffix
    suffix = written.lower()
    if suffix not in FORMATS:
        found = f"the suffix {written!r}" if suffix else "no suffix"
        raise InputError("output", f"must end in .png, .svg or .pdf; this has {found}", str(path))
    dots = None if dpi is None else checked_dpi(dpi)
    show_broken_math(fig)
    # Matplotlib warns of letters that its font has not, and of room that is scarce.
    quiet = warnings.catch_warnings(action="ignore", category=UserWarning)
    settings = fig.settings() if isinstance(fig, StyledFigure) else style()
    with settings, replacing(path) as temporary, quiet, _laid_out(fig, dots):
        fig.savefig(
            temporary, dpi=dots or rcParams["savefig.dpi"], format=suffix[1:], metadata=FORMATS[suffix]
        )


@contextmanager
def _laid_out(fig: Figure, dots: float | None) -> Iterator[None]:
    """Lay the figure out once, as savefig would, and draw it once.

    With a layout engine savefig draws twice, and lays out each time; most of that is the typesetting
    of labels, so the canvas that measures them here is the one that draws them.
    """
    engine, dpi = fig.get_layout_engine(), fig.dpi
    if type(fig.canvas) is FigureCanvasBase:
        FigureCanvasAgg(fig)
    if engine is None:
        yield
        return
    try:
        fig.dpi = dots or rcParams["savefig.dpi"]
        engine.execute(fig)
        with rc_context({"figure.autolayout": False, "figure.constrained_layout.use": False}):
            fig.set_layout_engine(None)
        yield
    finally:
        fig.dpi = dpi
        fig.set_layout_engine(engine)
