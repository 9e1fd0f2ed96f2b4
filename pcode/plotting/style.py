"""How figures look: the style sheet, its line styles, and where an Axes comes from."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from matplotlib import colormaps, rc_params_from_file
from matplotlib import style as matplotlib_style
from matplotlib.axes import Axes
from matplotlib.figure import Figure

STYLE = Path(__file__).with_name("pcode.mplstyle")

# For whatever belongs to no curve: phase boundaries, remarks. Legible on white and on black.
NEUTRAL = "0.45"

# Entries that a legend beside a small panel has room for, one below the other.
LEGEND_ROWS = 9


def style() -> AbstractContextManager[None]:
    """Use the style sheet of pcode as a context; settings are as before when it ends."""
    return matplotlib_style.context(STYLE)


@contextmanager
def axes_or_new(ax: Axes | None) -> Iterator[Axes]:
    """`ax`; or, where there is none, an Axes on a new figure in pcode's style."""
    if ax is not None:
        yield ax
        return
    with style():
        # Not pyplot's: such a figure needs no closing.
        yield Figure(layout="constrained").add_subplot()


@cache
def _cycle() -> tuple[dict[str, Any], ...]:
    settings = rc_params_from_file(STYLE, use_default_template=False)
    return tuple(dict(entry) for entry in settings["axes.prop_cycle"])


def distinct() -> int:
    """How many curves the style sheet can tell apart."""
    return len(_cycle())


def line_style(k: int, count: int) -> dict[str, Any]:
    """Colour and dashes of curve `k` of `count`; beyond `distinct()`, shades from dark to light."""
    if count <= distinct():
        return dict(_cycle()[k])
    return {"color": colormaps["cividis"](0.9 * k / (count - 1)), "linestyle": "-"}


def outside_legend(ax: Axes) -> None:
    """Put a legend to the right of the Axes, where it covers no data."""
    handles, labels = ax.get_legend_handles_labels()
    if handles:
        columns = math.ceil(len(handles) / LEGEND_ROWS)
        ax.legend(handles, labels, loc="upper left", bbox_to_anchor=(1.0, 1.0), ncols=columns)
