"""How figures look: the style sheet, its line styles, and where an Axes comes from."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

from matplotlib import RcParams, colormaps, rc_context, rc_params_from_file, rcParams
from matplotlib import style as matplotlib_style
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.cbook import is_math_text
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.mathtext import MathTextParser
from matplotlib.text import Text

from . import session
from .sizes import SizeOption, asking, figure_size, font_sizes

STYLE = Path(__file__).with_name("pcode.mplstyle")

# Parts of black and of white in the first and the last member of a group, and the widths of their lines.
DARKEST, LIGHTEST = 0.4, 0.55
WIDEST, THINNEST = 1.2, 0.6

# Of the members of groups that have shades themselves.
DASHES = ("-", "--", ":", "-.")

# For whatever belongs to no curve: phase boundaries, remarks. Legible on white and on black.
NEUTRAL = "0.45"


@contextmanager
def style(size: SizeOption = None, font_size: float | None = None) -> Iterator[None]:
    """Use the style sheet of pcode as a context; settings are as before when it ends.

    Parameters
    ----------
    size : str or two floats, optional
        Size of the figures made meanwhile: a width, "85mm", or width and height, "85x60mm", in mm, cm or in;
        "one-column" (85 mm) or "two-columns" (175 mm); or two numbers in inches. Where the height is
        not said it suits the width. Panels and legends are arranged by it.
    font_size : float, optional
        Size of text in points; tick labels, legends and notes have 7/8 of it.

    Raises
    ------
    InputError
        If a size is none of these, too small or too large.

    Examples
    --------
    >>> with pcode.plotting.style(size="one-column", font_size=8):
    ...     ax = run.plot.phase_plane("x1[0]", "eps1[0]", legend="below")
    """
    session.pyplot()  # before the context: what a notebook sets as it begins to show figures must outlast it
    with asking(size, font_size) as asked:
        own: dict[str, Any] = {} if asked.font_size is None else font_sizes(asked.font_size)
        if asked.width is not None:
            own["figure.figsize"] = figure_size(*_sheet()["figure.figsize"])
        with matplotlib_style.context([STYLE, own]):
            yield


class StyledFigure(Figure):
    """A figure that is drawn and saved with the settings that it was made with.

    Ticks are made when they are drawn, and whether text stays text is asked when a file is written; by then
    the context in which the figure was made has ended.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._settings = {name: rcParams[name] for name in _sheet()}

    def settings(self) -> AbstractContextManager[None]:
        """The settings of the figure as a context."""
        return rc_context(self._settings)

    def draw(self, renderer: Any) -> None:
        """Draw the figure with its settings."""
        show_broken_math(self)
        with self.settings():
            super().draw(renderer)

    def savefig(self, *args: Any, **kwargs: Any) -> None:
        """Save the figure with its settings; see `matplotlib.figure.Figure.savefig`."""
        show_broken_math(self)
        with self.settings():
            super().savefig(*args, **kwargs)


def show_broken_math(artist: Artist) -> None:
    """Have texts shown as they are that look like math and are none, such as names with two dollar signs."""
    for text in artist.findobj(Text):
        written = text.get_text()
        if text.get_parse_math() and is_math_text(written) and not _is_math(written):
            text.set_parse_math(False)


@lru_cache(maxsize=1024)
def _is_math(written: str) -> bool:
    """Whether each line of a text that looks like math is some, as Matplotlib takes it line by line."""
    try:
        for line in filter(is_math_text, written.split("\n")):
            MathTextParser("path").parse(line)
    except ValueError:
        return False
    return True


def figure(width: float, height: float) -> StyledFigure:
    """A figure with a constrained layout, of the size that `style` asks for, or else `width` x `height`."""
    return StyledFigure(figsize=figure_size(width, height), layout="constrained")


@contextmanager
def axes_or_new(ax: Axes | None, **options: Any) -> Iterator[Axes]:
    """Where to draw: `ax`, or an empty Axes that is pyplot's current one, or one on a new figure.

    A new figure is in pcode's style, and is pyplot's where pyplot is in use, so that notebooks show it, and
    so do `pyplot.show` and `pyplot.savefig`.

    Parameters
    ----------
    ax : matplotlib.axes.Axes or None
    **options
        Of `Figure.add_subplot`, for a new one.
    """
    ready = ax or session.empty_axes(**options)
    if ready is not None:
        yield ready
        return
    with style():
        made = {"FigureClass": StyledFigure, "layout": "constrained"}
        fig = session.new_figure(**made)
        try:
            yield fig.add_subplot(**options)
        except BaseException:
            session.discard(fig)  # half a picture is not to be shown
            raise


@cache
def _sheet() -> RcParams:
    return rc_params_from_file(STYLE, use_default_template=False)


def _cycle() -> list[dict[str, Any]]:
    return [dict(entry) for entry in _sheet()["axes.prop_cycle"]]


def distinct() -> int:
    """How many curves the style sheet can tell apart."""
    return len(_cycle())


def line_style(k: int, count: int) -> dict[str, Any]:
    """Colour and dashes of curve `k` of `count`; beyond `distinct()`, shades from dark to light."""
    if count <= distinct():
        return dict(_cycle()[k])
    return {"color": colormaps["cividis"](0.9 * k / (count - 1)), "linestyle": "-"}


def member_style(color: Any, k: int, count: int, groups: int) -> dict[str, Any]:
    """What tells member `k` of `count` from the others of its group: shade and width, from dark to light.

    One in the middle has the colour of the group itself, which stands for it in a legend. Dashes where there
    are more than `distinct()` groups, which have shades themselves.
    """
    if count == 1:
        return {}
    if groups > distinct():
        return {"linestyle": DASHES[k % len(DASHES)]}
    share, middle = k / (count - 1), (count - 1) // 2
    black = DARKEST * max(middle - k, 0) / max(middle, 1)
    white = LIGHTEST * max(k - middle, 0) / (count - 1 - middle)
    shade = tuple((1.0 - black - white) * part + white for part in to_rgb(color))
    return {"color": shade, "linewidth": WIDEST + share * (THINNEST - WIDEST)}
