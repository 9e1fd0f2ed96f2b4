"""Marks along a trajectory in a plane: arrow heads, and dots at round times."""

from __future__ import annotations

import math
import re
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import FancyArrowPatch
from matplotlib.text import Text

from ..base import units
from ..model.network import Array
from .legends import width_left
from .mark_places import MarkPlaces
from .sizes import small_text
from .styles import Artists, Styles

# Arrow heads along a trajectory, and the room of a label, in parts of the window.
ARROWS = 3
LABEL_ROOM = np.array([0.13, 0.07])

# The artists along a trajectory.
ALONG: Artists = {"start": Line2D, "arrows": FancyArrowPatch, "times": Line2D, "time_labels": Text}

# What a round time begins with.
ROUND = (1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 7.0, 10.0)


def in_window(ax: Axes, path: Array) -> Array:
    """Points, shape (..., 2), in parts of the window of `ax`."""
    (x0, x1), (y0, y1) = ax.get_xlim(), ax.get_ylim()
    return (path - np.array([x0, y0])) / np.array([x1 - x0, y1 - y0])  # type: ignore[no-any-return]


def lengths(ax: Axes, path: Array) -> Array:
    """Length of the path, shape (T, 2), up to each of its points, in windows."""
    steps = np.linalg.norm(np.diff(in_window(ax, path), axis=0), axis=1)
    return np.concatenate([[0.0], np.cumsum(steps)])


def arrow_heads(ax: Axes, path: Array, color: Any, styles: Styles) -> None:
    """Arrow heads along the path, shape (T, 2), at equal parts of its length."""
    if len(path) < 2 or "arrows" not in styles:
        return
    length = lengths(ax, path)
    if not length[-1] > 0.05:
        return
    for share in (np.arange(ARROWS) + 0.5) / ARROWS:
        at = share * length[-1]
        near = (at - 2e-3 * length[-1], at + 2e-3 * length[-1])
        x, y = (np.interp(near, length, path[:, k]).tolist() for k in range(2))
        look: dict[str, Any] = {"linewidth": 0.0, "shrinkA": 0.0, "shrinkB": 0.0, "zorder": 3.5}
        look |= {"arrowstyle": "-|>", "mutation_scale": 9.0, "color": color}
        ax.add_patch(FancyArrowPatch((x[0], y[0]), (x[1], y[1]), **styles.of("arrows", **look)))


def start_mark(ax: Axes, path: Array, styles: Styles, zorder: float) -> None:
    """Put a ring where the path, shape (T, 2), starts."""
    if "start" in styles:
        ring: dict[str, Any] = {"linestyle": "none", "marker": "o", "markersize": 4.0, "zorder": zorder}
        ring |= {"markerfacecolor": "white", "markeredgecolor": "black", "gid": "start"}
        ax.plot(*path[:1].T, **styles.of("start", **ring))


def note_above(ax: Axes, text: str, styles: Styles) -> None:
    """Write what was done with the rest of the run over an Axes, as the artist "note", in lines that fit.

    To be called when all else of its width, labels and a legend, is there.
    """
    if "note" not in styles:
        return
    title = ax.set_title(text, loc="left", **styles.of("note", fontsize=small_text(), color="0.3"))
    room = width_left(ax)
    lines = [""]
    for word in words_of(text):
        longer = f"{lines[-1]} {word}".strip()
        title.set_text(longer)
        if not lines[-1] or title.get_window_extent().width <= room:
            lines[-1] = longer
        else:
            lines.append(word)
    title.set_text("\n".join(lines))


def words_of(text: str) -> list[str]:
    """The parts between which a line may break: not at an equals sign, nor before a unit."""
    return re.split(r"(?<![=\d]) (?!=)", text)


def round_times(since: Array, length: Array, count: int = 5, unit: str | None = None) -> list[float]:
    """Round times at which a path is at about equal parts of its length.

    Parameters
    ----------
    since : ndarray, shape (T,)
        Times since the start, rising.
    length : ndarray, shape (T,)
        Of the path up to there.
    count : int
        About so many.
    unit : str, optional
        The unit of `since`; then times are round in that unit, such as ms or s, in which they are read.
    """
    found: list[float] = []
    for share in np.arange(1, count + 1) / (count + 1):
        t = float(np.interp(share * length[-1], length, since))
        if not t > 0.0 or not length[-1] > 0.0:
            continue
        read = units.readable(t, unit) if unit else None
        shown = units.converted(t, str(unit), read) if read else t
        power = 10.0 ** math.floor(math.log10(shown))
        near = min(ROUND, key=lambda m: abs(math.log(m * power / shown)))
        value = float(f"{near * power:g}")
        value = units.converted(value, read, str(unit)) if read else value
        if value <= since[-1] and value not in found:
            found.append(value)
    return found


def time_marks(
    ax: Axes,
    path: Array,
    since: Array,
    times: list[float],
    symbol: str,
    color: Any,
    styles: Styles | None = None,
    taken: Any = (),
    unit: str | None = None,
) -> list[Array]:
    """Dots on the path at `times`, labelled in units of `symbol`, where there is room; the places used.

    Labels find their places when they are drawn, see `MarkPlaces`.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    path, since : ndarray, shapes (T, 2), (T,)
    times : list of float
    symbol : str
        In mathtext.
    color
        Of the dots.
    styles : Styles, optional
        Of the artists "times", the dots, and "time_labels".
    taken : sequence of ndarray
        Places, in parts of the window, where labels are already.
    unit : str, optional
        The unit of time that `since` is in, with which labels are written instead of `symbol`.
    """
    styles = styles or Styles(None, ALONG)
    placed = list(taken)
    places = MarkPlaces.of(ax)
    places.keep_free(path)
    for value in times if "times" in styles else ():
        at = np.array([np.interp(value, since, path[:, k]) for k in range(2)])
        spot = in_window(ax, at)
        if (spot < 0.02).any() or (spot > 0.98).any():
            continue
        if any(np.abs((spot - other) / LABEL_ROOM).max() < 1.0 for other in placed):
            continue
        placed.append(spot)
        dot: dict[str, Any] = {"linestyle": "none", "marker": "o", "markersize": 2.8, "zorder": 4.0}
        (mark,) = ax.plot(*at[:, None], **styles.of("times", **dot, color=color, gid="time"))
        label = None
        if "time_labels" in styles:
            box = {"boxstyle": "square,pad=0.1", "facecolor": "white", "edgecolor": "none", "alpha": 0.75}
            given: dict[str, Any] = {"fontsize": small_text(), "va": "bottom", "zorder": 6.0, "bbox": box}
            text = units.text(value, unit) if unit else f"${number(value)}\\,{symbol}$"
            label = ax.annotate(text, (at[0], at[1]), (4, 4), textcoords="offset points",
                                annotation_clip=True, **styles.of("time_labels", **given))  # fmt: skip
            label.set_in_layout(False)
        places.add(mark, label)
    return placed


def number(value: float, digits: int = 3) -> str:
    """A number in mathtext: powers of ten, with some digits, for large and small ones."""
    if 1e-3 <= value < 1e4:
        return f"{value:.4g}"
    mantissa, exponent = f"{value:.{digits - 1}e}".split("e")
    front = f"{float(mantissa):g}"
    power = f"10^{{{int(exponent)}}}"
    return power if front == "1" else rf"{front}\times {power}"
