"""The artists of a drawn network, which show one moment after another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.collections import LineCollection, PolyCollection
from matplotlib.colorbar import Colorbar
from matplotlib.colors import Colormap, Normalize
from matplotlib.image import AxesImage
from matplotlib.patches import Polygon, Rectangle
from matplotlib.text import Text
from matplotlib.ticker import MaxNLocator
from matplotlib.transforms import ScaledTranslation, blended_transform_factory

from ..model.network import Array, Weights
from .diagram import LANE, RADIUS, Column, beam, discs, half_discs, lines, pairs, picture
from .mosaic import MOST_IMAGES, Mosaic
from .series import LARGEST
from .sizes import small_text
from .styles import Artists, Styles

ARTISTS: Artists = {
    "values": PolyCollection,
    "errors": PolyCollection,
    "M": LineCollection,
    "W": LineCollection,
    "matrices": AxesImage,
    "frames": LineCollection,
    "beams": Polygon,
    "labels": Text,
    "title": Text,
    "colorbars": Colorbar,
}

# Lines of M beyond which W is not drawn beside them.
MOST_PAIRED = 12

# Where a row of colour bars stands, in inches: below the names of the layers.
BARS_BELOW = 0.66
BAR_HEIGHT = 0.07
KEY_ABOVE = 0.3  # within an Axes of their own

WIDEST = 3.0
THINNEST = 0.3
FREE, CLAMPED = 0.6, 1.7

# Both maps pass through white at 0; red and blue for nodes, orange and purple for weights.
NODE_COLOURS, WEIGHT_COLOURS = "RdBu_r", "PuOr_r"
NOTHING = "0.8"

X_BAR = r"value $x$ (upper half)"
EPS_BAR = r"error $\varepsilon$ (lower half)"


@dataclass(frozen=True)
class Scales:
    """The values at which colours and widths end: of value nodes, of error nodes, of weights."""

    x: float
    eps: float
    weights: float


class Drawing:
    """A network on an Axes, without colours until `show` gives it some.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    cols : sequence of Column
        The layers, see `diagram.columns`.
    clamped : sequence of ndarray of bool, shapes (n_l,)
        Which value nodes have a thick outline.
    scales : Scales
    feedback : bool, optional
        Whether to draw W; where None, if there are few lines.
    styles : Styles
        Of the artists that are `ARTISTS`.
    named : bool
        Whether to name the layers.
    """

    def __init__(
        self,
        ax: Axes,
        cols: Sequence[Column],
        clamped: Sequence[Array],
        scales: Scales,
        feedback: bool | None,
        styles: Styles,
        named: bool = True,
    ) -> None:
        self.ax, self.cols, self.scales, self.styles = ax, tuple(cols), scales, styles
        drawn = drawn_links(self.cols)
        count = sum(a.size * b.size for _, a, b in drawn)
        self.kinds = link_kinds(self.cols, feedback)
        paired = len(self.kinds) > 1
        self._weights_shown = False
        self._values = [
            (_Block if c.block else _Circles)(ax, c, scales, clamped[c.layer], styles) for c in self.cols
        ]
        self._lines = {
            (kind, k): _Links(ax, a, b, kind, paired, count == len(drawn), scales.weights, styles)
            for k, a, b in drawn
            for kind in self.kinds
            if kind in styles
        }
        blocks = [(k, a, b) for k, a, b in pairs(self.cols) if a.block or b.block]
        self._matrices = {k: _Matrix(ax, a, b, scales, styles) for k, a, b in blocks}
        if named and "labels" in styles:
            self._label(clamped)
        self._frame()

    def show(self, x: Sequence[Array] | None, eps: Sequence[Array] | None, weights: Weights | None) -> None:
        """Colour the nodes by `x` and `eps`, and the links by `weights`; what is None stays plain.

        Parameters
        ----------
        x, eps : sequence of ndarray, shapes (n_l,), or None
            Of the layers 0..n and 1..n.
        weights : Weights or None
        """
        if x is not None and eps is not None:
            for column, artists in zip(self.cols, self._values, strict=True):
                artists.show(x[column.layer], eps[column.layer - 1] if column.layer else None)
        self._weights_shown = weights is not None
        if weights is None:
            return
        for (kind, k), links in self._lines.items():
            links.show(weights.M[k] if kind == "M" else weights.feedback[k].T)
        for k, matrix in self._matrices.items():
            matrix.show(weights.M[k])

    def add_bars(self, nodes: bool = True) -> None:
        """Put colour bars below: of values and errors, and, where lines show them, of the weights."""
        kinds = self.kinds if self._weights_shown else ()
        add_bars(self.ax, self.scales, nodes, kinds, -BARS_BELOW, styles=self.styles)

    def add_title(self, text: str) -> None:
        """Write `text` above."""
        named = any(column.block and column.layer for column in self.cols)
        if "title" in self.styles:
            self.ax.set_title(text, **self.styles.of("title", pad=small_text() + 5.0 if named else 6.0))

    def _label(self, clamped: Sequence[Array]) -> None:
        """Name each layer below it, with what of it is clamped."""
        low = min(-column.top for column in self.cols)
        for column in self.cols:
            held = int(np.count_nonzero(clamped[column.layer]))
            words = [f"layer {column.layer}"]
            if column.block:
                words.append(f"{column.size} nodes" if column.image is None else _times(*column.image))
            if held:
                words.append("clamped" if held == column.size else f"{held} of {column.size}\nclamped")
            below = self.styles.of("labels", ha="center", va="top", fontsize=small_text(), gid="layer")
            self.ax.text(column.x, low - 0.5 * RADIUS, "\n".join(words), **below)
            if column.block and column.layer:
                for name, side in (("$x$", -0.5), (r"$\varepsilon$", 0.5)):
                    at = column.x + side * column.half, column.top
                    look = {"ha": "center", "va": "bottom", "fontsize": small_text(), "gid": "strip"}
                    above = self.styles.of("labels", **look)
                    self.ax.annotate(name, at, (0.0, 1.5), textcoords="offset points", **above)
        for k in self._matrices:
            a, b = self.cols[k], self.cols[k + 1]
            shape = _times(a.size, b.size)
            if a.image is not None:
                shape = f"{min(b.size, MOST_IMAGES)} images\nof {_times(*a.image)}"
            middle = 0.5 * (a.x + a.half + b.x - b.half)
            below = self.styles.of("labels", ha="center", va="top", fontsize=small_text(), gid="link")
            self.ax.text(middle, low - 0.5 * RADIUS, f"$M^{{{k}}}$\n{shape}", **below)

    def _frame(self) -> None:
        top = max(column.top for column in self.cols)
        first, last = self.cols[0], self.cols[-1]
        self.ax.set_xlim(first.x - first.half - RADIUS, last.x + last.half + RADIUS)
        self.ax.set_ylim(-top - 0.5 * RADIUS, top + 0.5 * RADIUS)
        self.ax.set_aspect("equal")
        self.ax.set_axis_off()


def drawn_links(cols: Sequence[Column]) -> list[tuple[int, Column, Column]]:
    """The links whose weights are lines: those between layers of circles."""
    return [(k, a, b) for k, a, b in pairs(cols) if not (a.block or b.block)]


def link_kinds(cols: Sequence[Column], feedback: bool | None) -> tuple[str, ...]:
    """Which weights have lines: M, and W where it is wanted, or, with None, where lines are few."""
    count = sum(a.size * b.size for _, a, b in drawn_links(cols))
    if not count:
        return ("M",)
    paired = count <= MOST_PAIRED if feedback is None else feedback
    return ("M", "W") if paired else ("M",)


def add_bars(
    ax: Axes,
    scales: Scales,
    nodes: bool,
    kinds: Sequence[str],
    y: float,
    short: bool = False,
    styles: Styles | None = None,
) -> None:
    """Put a row of colour bars on `ax`, `y` inches above its lower edge (below it where negative).

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    scales : Scales
    nodes : bool
        Whether to have bars of values and errors.
    kinds : sequence of {"M", "W"}
        The weights that share a bar; none for no bar.
    y : float
    short : bool
        Whether to leave out which half shows what.
    styles : Styles, optional
        With the artist `colorbars`, whose keywords go to `Figure.colorbar`.
    """
    look = styles or Styles(None, ARTISTS)
    if "colorbars" not in look:
        return
    bars = [(X_BAR, NODE_COLOURS, scales.x), (EPS_BAR, NODE_COLOURS, scales.eps)] if nodes else []
    if kinds:
        bars.append(("weights " + ", ".join(f"${kind}$" for kind in kinds), WEIGHT_COLOURS, scales.weights))
    # x in parts of the Axes, y in inches from its lower edge.
    edge = ScaledTranslation(0.0, 0.0, ax.transAxes)  # type: ignore[arg-type]
    inches = ax.figure.dpi_scale_trans + edge
    place = blended_transform_factory(ax.transAxes, inches)
    for k, (label, cmap, size) in enumerate(bars):
        middle = (k + 0.5) / len(bars)
        width = min(0.26, 0.8 / len(bars))
        inset = ax.inset_axes((middle - 0.5 * width, y, width, BAR_HEIGHT), transform=place)
        mappable = ScalarMappable(Normalize(-size, size), _map(cmap))
        bar = ax.figure.colorbar(mappable, cax=inset, **look.of("colorbars", orientation="horizontal"))
        bar.set_label(label.partition(" (")[0] if short else label, fontsize=small_text(), labelpad=1.0)
        bar.outline.set_linewidth(0.4)
        bar.locator = MaxNLocator(3, symmetric=True)
        inset.tick_params(labelsize=small_text(), length=2.0, pad=1.0)


class _Circles:
    """A layer of a few nodes: circles, cut in two halves where they have errors."""

    def __init__(self, ax: Axes, column: Column, scales: Scales, clamped: Array, styles: Styles) -> None:
        cmap, white = _map(NODE_COLOURS), "white"
        outline = discs(column.points) if column.layer == 0 else half_discs(column.points, lower=False)
        widths = np.where(clamped, CLAMPED, FREE)
        edge: dict[str, Any] = {"edgecolor": "black", "facecolor": white, "cmap": cmap}
        upper: dict[str, Any] = edge | {"norm": _norm(scales.x), "linewidth": widths, "zorder": 3.0}
        self.x = PolyCollection(list(outline), **styles.of("values", **upper))
        self.x.set_visible("values" in styles)
        ax.add_collection(self.x)
        self.eps: PolyCollection | None = None
        if column.layer:
            lower: dict[str, Any] = edge | {"norm": _norm(scales.eps), "linewidth": FREE, "zorder": 2.9}
            halves = half_discs(column.points, lower=True)
            self.eps = PolyCollection(list(halves), **styles.of("errors", **lower))
            self.eps.set_visible("errors" in styles)
            ax.add_collection(self.eps)

    def show(self, x: Array, eps: Array | None) -> None:
        self.x.set_array(_drawable(x))
        if self.eps is not None and eps is not None:
            self.eps.set_array(_drawable(eps))


class _Block:
    """A layer of many nodes: a strip of values, and one of errors beside it; or an image of values."""

    def __init__(self, ax: Axes, column: Column, scales: Scales, clamped: Array, styles: Styles) -> None:
        left, right, top = column.x - column.half, column.x + column.half, column.top
        middle = column.x if column.layer else right
        self._shape = column.image or (column.size, 1)
        blank = np.full(self._shape, np.nan)
        shared: dict[str, Any] = {"zorder": 2.9, "aspect": "auto"}
        cmaps = [_map(styles.of(name).get("cmap", NODE_COLOURS)) for name in ("values", "errors")]
        upper: dict[str, Any] = shared | {"cmap": cmaps[0], "norm": _norm(scales.x)}
        self.x = ax.imshow(blank, extent=(left, middle, -top, top), **upper)
        self.eps = None
        if column.layer:
            lower: dict[str, Any] = shared | {"cmap": cmaps[1], "norm": _norm(scales.eps)}
            self.eps = ax.imshow(blank, extent=(middle, right, -top, top), **lower)
        frame: dict[str, Any] = {"facecolor": "none", "edgecolor": "black", "zorder": 3.0}
        ax.add_patch(Rectangle((left, -top), right - left, 2.0 * top, linewidth=FREE, **frame))
        if clamped.any():
            ax.add_patch(Rectangle((left, -top), middle - left, 2.0 * top, linewidth=CLAMPED, **frame))

    def show(self, x: Array, eps: Array | None) -> None:
        self.x.set_data(_drawable(x).reshape(self._shape))
        if self.eps is not None and eps is not None:
            self.eps.set_data(_drawable(eps)[:, None])


class _Links:
    """The weights between two layers of circles, a line each."""

    def __init__(
        self,
        ax: Axes,
        left: Column,
        right: Column,
        kind: str,
        paired: bool,
        arrows: bool,
        scale: float,
        styles: Styles,
    ) -> None:
        lane = (LANE if kind == "M" else -LANE) if paired else 0.0
        self.segments = lines(left, right, lane).reshape(-1, 2, 2)
        self.scale = scale
        dashes = "-" if kind == "M" else (0, (2.5, 1.0))
        look: dict[str, Any] = {"cmap": _map(WEIGHT_COLOURS), "norm": _norm(scale), "linestyle": dashes}
        self._widest = float(styles.of(kind).get("linewidth", WIDEST))
        self.lines = LineCollection(list(self.segments), **styles.of(kind, **look, linewidth=0.6, zorder=2.0))
        self.lines.set_array(np.full(len(self.segments), np.nan))
        ax.add_collection(self.lines)
        if arrows:
            x, y = self.segments.mean(axis=1).T
            head: dict[str, Any] = {
                "marker": ">" if kind == "M" else "<",
                "facecolor": "0.2",
                "edgecolor": "white",
            }
            ax.scatter(x, y, s=36.0, linewidth=0.8, zorder=2.1, **head)

    def show(self, weights: Array) -> None:
        """Colour the lines, of shape (n_l, n_{l+1}) like M; the strongest lie on top."""
        values = _drawable(weights).ravel()
        share = np.nan_to_num(np.abs(values) / self.scale, nan=0.0)
        order = np.argsort(share)
        self.lines.set_segments(list(self.segments[order]))
        self.lines.set_array(values[order])
        thin = min(THINNEST, self._widest)
        self.lines.set_linewidth((thin + (self._widest - thin) * np.minimum(share[order], 1.0)).tolist())


class _Matrix:
    """A band for the links of a block, with M on it: a matrix, or an image for each node on the right."""

    def __init__(self, ax: Axes, left: Column, right: Column, scales: Scales, styles: Styles) -> None:
        band: dict[str, Any] = {"closed": True, "facecolor": "0.93", "edgecolor": "none", "zorder": 1.0}
        if "beams" in styles:
            ax.add_patch(Polygon(beam(left, right), **styles.of("beams", **band)))
        x0, x1, top = picture(left, right)
        shape = (left.size, right.size)
        self._mosaic: Mosaic | None = None
        if left.image is not None:
            self._mosaic = Mosaic.fitting(right.size, left.image, 0.5 * (x1 - x0) / top)
            x0, x1, top = self._mosaic.within(x0, x1, top)
            shape = self._mosaic.size
        look: dict[str, Any] = {"cmap": _map(WEIGHT_COLOURS), "norm": _norm(scales.weights), "zorder": 2.0}
        look |= {"extent": (x0, x1, -top, top), "aspect": "auto"}
        self.image = ax.imshow(np.full(shape, np.nan), **styles.of("matrices", **look))
        self.image.set_visible("matrices" in styles)
        if self._mosaic is not None:
            self._mosaic.put_on(ax, self.image, styles.of("frames") if "frames" in styles else None)

    def show(self, weights: Array) -> None:
        values = _drawable(weights)
        self.image.set_data(values if self._mosaic is None else self._mosaic.picture(values.T))


def _times(rows: int, columns: int) -> str:
    return f"{rows} $\\times$ {columns}"


def _drawable(values: Array) -> Array:
    """`values`, NaN where they are beyond what colours can be computed of."""
    with np.errstate(invalid="ignore"):
        return np.where(np.abs(values) <= LARGEST, values, np.nan)


def _norm(size: float) -> Normalize:
    return Normalize(-size, size)


def _map(name: str | Colormap) -> Colormap:
    return (colormaps[name] if isinstance(name, str) else name).with_extremes(bad=NOTHING)
