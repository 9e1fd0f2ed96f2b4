"""Weights to and from an input layer that shows an image: each node's as an image of its own."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.colorbar import Colorbar
from matplotlib.image import AxesImage

from ..base import checks
from ..base.errors import InputError
from ..model.images import IMAGE_SHAPE
from ..model.images import image_shape as checked_shape
from ..model.variables import BY_NAME
from ..run.result import Run
from ..run.select import PhaseChoice, check_flags, check_word, of_run
from .matrices import DIVERGING, NOTHING, MatrixKind, When, drawable, scale_of, three_moments
from .mosaic import Mosaic
from .style import axes_or_new
from .styles import Artists, Styles, StylesOption, draws

ARTISTS: Artists = {"images": AxesImage, "frames": LineCollection, "colorbar": Colorbar}


def image_shape_of(run: Run, given: Any = None) -> tuple[int, int] | None:
    """Shape of the images that layer 0 shows: `given`, or what the run says, or None where it does not.

    Raises
    ------
    InputError
        If what is given does not fit layer 0.
    """
    size = run.network.sizes[0]
    if given is not None:
        return checked_shape(given, size)
    known = run.data.attrs.get(IMAGE_SHAPE)
    return None if known is None else checked_shape(np.asarray(known).tolist(), size)


@draws(ARTISTS)
@of_run
def receptive_fields(
    run: Run,
    /,
    kind: MatrixKind = "M",
    when: When = "after",
    *,
    image_shape: tuple[int, int] | None = None,
    phase: PhaseChoice = None,
    largest: float | None = None,
    colorbar: bool = True,
    styles: StylesOption = None,
    ax: Axes | None = None,
    **kwargs: Any,
) -> Axes:
    r"""Weights between layer 0 and each node of layer 1 as images, white where a weight is 0.

    The images stand side by side, row by row, in the order of the nodes of layer 1: columns of
    :math:`M^0`, or rows of :math:`W^0`.

    Parameters
    ----------
    run : Run
        The run to draw.
    kind : {"M", "W"}
        Prediction or feedback weights.
    when : {"before", "after", "change"}
        As for `weight_matrix`.
    image_shape : tuple of int, optional
        Rows and columns of the images that layer 0 shows. What the run says where left out: scenarios
        have it in ``[data]``, and `simulate` takes ``attributes={"image_shape": [8, 8]}``.
    phase, largest, colorbar, styles, ax, **kwargs
        As for `weight_matrix`; the artists are ``images``, ``frames`` and ``colorbar``.

    Returns
    -------
    matplotlib.axes.Axes
        Without ticks. Weights are dimensionless. Of more than 64 nodes 64 are shown.

    Raises
    ------
    InputError
        If no shape is known or it does not fit layer 0, an option is none of those allowed, or the run has no
        such weights or phase.
    """
    check_word("when", when, ("before", "after", "change"))
    check_flags(colorbar=colorbar)
    shape = image_shape_of(run, image_shape)
    if shape is None:
        what = "is not known of this run; give rows and columns of the images that layer 0 shows"
        raise InputError(IMAGE_SHAPE, what)
    matrices = three_moments(run, 0, kind, phase)
    largest = scale_of(matrices) if largest is None else checks.number("largest", largest, above=0.0)
    images = matrices[when].T if kind == "M" else matrices[when]
    look = Styles(styles, ARTISTS, images=kwargs)
    with axes_or_new(ax) as ax:
        box = ax.get_window_extent()
        mosaic = Mosaic.fitting(len(images), shape, box.width / box.height)
        cmap = colormaps[DIVERGING].with_extremes(bad=NOTHING)
        given = look.of("images", cmap=cmap, vmin=-largest, vmax=largest)
        image = ax.imshow(mosaic.picture(drawable(images)), **given)
        image.set_visible("images" in look)
        mosaic.put_on(ax, image, look.of("frames") if "frames" in look else None)
        ax.set_xticks([])
        ax.set_yticks([])
        ax.spines[:].set_visible(False)
        some = "" if mosaic.count == mosaic.total else f"{mosaic.count} of the {mosaic.total} "
        ax.set_ylabel(f"weights of {some or 'the '}nodes\nof layer 1, an image each")
        if colorbar and "colorbar" in look:
            what = "change of " if when == "change" else ""
            ax.figure.colorbar(image, ax=ax, **look.of("colorbar", label=f"{what}${BY_NAME[kind].label(0)}$"))
    return ax
