"""The confusion matrix: which classes are taken for which."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colorbar import Colorbar
from matplotlib.image import AxesImage
from matplotlib.text import Text

from ..analysis.result import of_answer
from ..model.network import Array
from ..run.select import check_flags, check_word
from .matrices import LIGHT, LUMA
from .sizes import small_text
from .style import axes_or_new
from .styles import Artists, Styles, StylesOption, draws

if TYPE_CHECKING:
    from ..analysis.classification import Classification

ARTISTS: Artists = {"matrix": AxesImage, "numbers": Text, "colorbar": Colorbar}

# From white to dark blue, which is dark in grey prints too.
SHARES = "Blues"

# More classes than these have no numbers, and not every name.
MOST_NUMBERS, MOST_NAMES = 20, 30

# Letters of a name from which on names below the matrix are upright.
LONG = 3

Written = Literal["count", "share"]


@draws(ARTISTS)
@of_answer
def classification(
    answer: Classification,
    /,
    numbers: Written = "count",
    *,
    colorbar: bool = True,
    styles: StylesOption = None,
    ax: Axes | None = None,
    **kwargs: Any,
) -> Axes:
    """How many samples of each class (row) are taken for each class (column).

    Colours are the share of the samples of a class, so that each row adds up to 1 and the diagonal is the
    recall. Where no sample is, no number is.

    Parameters
    ----------
    answer : pcode.analysis.classification.Classification
    numbers : {"count", "share"}
        What to write: how many samples, or their share of the class in percent.
    colorbar : bool
        Whether to put a colour bar beside the Axes.
    styles : mapping of str to mapping or bool, optional
        By the name of an artist, keywords of Matplotlib for it, or False to leave it out. There are
        ``matrix``, ``numbers`` and ``colorbar``.
    ax : matplotlib.axes.Axes, optional
        One on a new figure where left out.
    **kwargs
        Of `Axes.imshow`.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    InputError
        If an option is none of those allowed.
    """
    check_word("numbers", numbers, ("count", "share"))
    check_flags(colorbar=colorbar)
    look = Styles(styles, ARTISTS, matrix=kwargs)
    share = answer.confusion / np.maximum(answer.support, 1)[:, np.newaxis]
    with axes_or_new(ax) as ax:
        given = look.of("matrix", cmap=SHARES, vmin=0.0, vmax=1.0, aspect="equal")
        image = ax.imshow(share, **given)
        image.set_visible("matrix" in look)
        if len(answer.names) <= MOST_NUMBERS and "numbers" in look:
            _write(ax, answer, share, image, look, numbers)
        _name(ax, answer.names)
        ax.set_ylabel("class")
        ax.set_xlabel("taken for")
        ax.tick_params(length=0.0)
        if colorbar and "colorbar" in look:
            bar = {"label": "share of the class", "shrink": 0.8}
            ax.figure.colorbar(image, ax=ax, **look.of("colorbar", **bar))
    return ax


def _write(
    ax: Axes, answer: Classification, share: Array, image: AxesImage, look: Styles, numbers: Written
) -> None:
    """Write a number in each cell that is not empty, dark on light and light on dark."""
    for (row, column), count in np.ndenumerate(answer.confusion):
        if count:
            brightness = float(np.dot(image.to_rgba(np.array([share[row, column]]))[0, :3], LUMA))
            color = "white" if brightness < LIGHT else "black"
            text = look.of("numbers", color=color, ha="center", va="center", fontsize=small_text())
            ax.text(
                column, row, f"{count}" if numbers == "count" else f"{100 * share[row, column]:.0f}", **text
            )


def _name(ax: Axes, names: tuple[str, ...]) -> None:
    """Put the names of the classes at both sides; of very many some."""
    step = -(-len(names) // MOST_NAMES)
    places = np.arange(0, len(names), step)
    shown = [names[k] for k in places]
    upright = max(map(len, shown)) > LONG and len(shown) > LONG - 1
    turned: dict[str, Any] = {"rotation": 90} if upright and len(shown) > LONG else {}
    if upright and not turned:
        turned = {"rotation": 30, "ha": "right", "rotation_mode": "anchor"}
    ax.set_xticks(places, shown, **turned)
    ax.set_yticks(places, shown)
