"""The keywords that an artist takes, checked before anything is drawn."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from matplotlib.artist import Artist, ArtistInspector
from matplotlib.axes import Axes
from matplotlib.cbook import normalize_kwargs
from matplotlib.collections import FillBetweenPolyCollection, LineCollection, PolyCollection, QuadMesh
from matplotlib.colorbar import Colorbar, make_axes
from matplotlib.image import AxesImage
from matplotlib.legend import Legend
from matplotlib.lines import Line2D
from matplotlib.patches import FancyArrowPatch, Polygon, Rectangle
from matplotlib.streamplot import StreamplotSet
from matplotlib.text import Text

# What takes keywords of these besides their properties.
MAKERS: dict[type, tuple[Callable[..., Any], ...]] = {
    AxesImage: (Axes.imshow,),
    Colorbar: (Colorbar, make_axes),
    FancyArrowPatch: (FancyArrowPatch,),
    FillBetweenPolyCollection: (FillBetweenPolyCollection,),
    Legend: (Legend,),
    LineCollection: (LineCollection,),
    PolyCollection: (PolyCollection,),
    QuadMesh: (Axes.pcolormesh,),
    Rectangle: (Axes.barh,),
    StreamplotSet: (Axes.streamplot,),
}

# Those that are made by keywords alone, and the names by which users know these.
NO_PROPERTIES = {Legend: "a legend", Colorbar: "a colour bar", StreamplotSet: "Axes.streamplot"}

# What is drawn, and where: not for users to change.
DATA = frozenset(
    {"array", "bounds", "data", "extent", "offset_transform", "offsets", "paths", "position", "positions"}
    | {"segments", "text", "transform", "urls", "verts", "verts_and_codes", "x", "xdata", "xy", "y", "ydata"}
    | {"ax", "bottom", "C", "cax", "f1", "f2", "figure", "handles", "labels", "left", "mappable", "parent"}
    | {"parents", "path", "posA", "posB", "t", "t_direction", "u", "v", "where", "width", "X", "axes"}
    | {"args", "kwargs"}
)

# Artists to try values on.
_BLANK: dict[type, Callable[[], Artist]] = {
    Line2D: lambda: Line2D([], []),
    Text: Text,
    LineCollection: lambda: LineCollection([]),
    PolyCollection: lambda: PolyCollection([]),
    FillBetweenPolyCollection: lambda: PolyCollection([]),
    FancyArrowPatch: lambda: FancyArrowPatch((0.0, 0.0), (1.0, 1.0)),
    Polygon: lambda: Polygon([(0.0, 0.0), (1.0, 1.0)]),
    Rectangle: lambda: Rectangle((0.0, 0.0), 1.0, 1.0),
}


@cache
def known_keywords(kind: type) -> frozenset[str]:
    """The keywords, by their long names, that artists of a class take."""
    setters = [] if kind in NO_PROPERTIES else ArtistInspector(kind).get_setters()
    taken = [name for make in MAKERS.get(kind, ()) for name in inspect.signature(make).parameters]
    beside = ("pad", "anchor", "panchor") if kind is Colorbar else ()
    return frozenset(long_names(dict.fromkeys([*setters, *taken, *beside]), kind)) - DATA


def long_names(keywords: Mapping[str, Any], kind: type) -> dict[str, Any]:
    """`keywords` with their long names, so that ``lw`` and ``linewidth`` are one.

    Raises
    ------
    TypeError
        If one is given by both.
    """
    # Only properties have short names.
    return normalize_kwargs(dict(keywords), kind) if issubclass(kind, Artist) else dict(keywords)


def called(kind: type) -> str:
    """What users know a class of artists by."""
    return NO_PROPERTIES.get(kind, kind.__name__)


def refused(keyword: str, value: Any, kind: type) -> str:
    """What is wrong with the value of a property, in Matplotlib's words; empty where nothing is."""
    if kind not in _BLANK or keyword not in ArtistInspector(kind).get_setters():
        return ""
    try:
        _BLANK[kind]().set(**{keyword: value})
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        return " ".join(str(error).split()) or type(error).__name__
    return ""
