"""What the studies share: their command line, tables of numbers, rows of small images, curves of seeds."""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, NullFormatter, PercentFormatter
from numpy.typing import ArrayLike
from PIL import Image

from pcode import plotting

Row = Mapping[str, Any]


def begun(
    about: str | None, name: str, settings: Row, quick: Row, argv: Sequence[str] | None = None
) -> tuple[Path, dict[str, Any]]:
    """The folder that -o names, made if need be, and the settings: those given, or with --quick small ones.

    Parameters
    ----------
    about : str, optional
        What --help says.
    name : str
        Of the study; by default it writes to results/`name`.
    settings, quick : mapping
        The settings, and what of them is smaller with --quick.
    argv : sequence of str, optional
        The command line, without the name of the script.
    """
    parser = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-o", "--out", type=Path, default=Path("results") / name, help="folder to write to")
    parser.add_argument(
        "--quick", action="store_true", help="tiny settings, to see that it runs; the numbers mean nothing"
    )
    found = parser.parse_args(argv)
    found.out.mkdir(parents=True, exist_ok=True)
    return found.out, {**settings, **(quick if found.quick else {})}


def write(out: Path, name: str, settings: Row, rows: Sequence[Row]) -> None:
    """Write settings and results as `name`.json, and the results as a table in Markdown; print that too.

    A page beside them, README.md, gets the table below its line ``<!-- name.md -->``.
    """
    document = {"settings": settings, "results": list(rows)}
    (out / f"{name}.json").write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    text = table(rows)
    (out / f"{name}.md").write_text(text, encoding="utf-8")
    page = out / "README.md"
    if page.exists():
        old = re.compile(rf"(?<=<!-- {name}\.md -->\n)(\|.*\n)*")
        page.write_text(old.sub(lambda _: text, page.read_text(encoding="utf-8")), encoding="utf-8")
    sys.stdout.write(text)


def save(fig: Figure, path: Path) -> None:
    """Write a figure as a small PNG, of 256 colours."""
    plotting.save_figure(fig, path)
    with Image.open(path) as image:
        small = image.convert("RGB").quantize(256)
    small.save(path, optimize=True)


def table(rows: Sequence[Row]) -> str:
    """A table in Markdown, with a column for each key of the first row."""
    heads = list(rows[0])
    lines = [heads, ["---"] * len(heads), *([_shown(row[head]) for head in heads] for row in rows)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def image_row(
    axes: Sequence[Axes],
    images: np.ndarray,
    label: str,
    scale: Callable[[np.ndarray], tuple[float, float]] | None = None,
) -> None:
    """Draw 8x8 images side by side, dark where large; grey-blue where a pixel is NaN.

    Parameters
    ----------
    axes : sequence of Axes, one an image
    images : ndarray, shape (count, 64)
    label : str
        To the left of the row.
    scale : callable, optional
        ``scale(image)``, the values that are white and black; 0 and 1 where left out.
    """
    for ax, image in zip(axes, images, strict=True):
        white, black = (0.0, 1.0) if scale is None else scale(image)
        ax.set_facecolor("#b8c8d8")
        ax.imshow(image.reshape(8, 8), cmap="gray_r", vmin=white, vmax=black, interpolation="nearest")
        ax.set_xticks([])
        ax.set_yticks([])
        for spine in ax.spines.values():
            spine.set_visible(False)
    axes[0].set_ylabel(label, rotation=0, ha="right", va="center", labelpad=4.0)


def band(ax: Axes, x: ArrayLike, values: ArrayLike, **style: Any) -> None:
    """The mean over seeds as a curve, and what lies between the least and the largest as a pale band.

    Parameters
    ----------
    ax : Axes
    x : array_like, shape (points,)
    values : array_like, shape (seeds, points)
    **style
        Of the curve.
    """
    found = np.asarray(values, dtype=float)
    (line,) = ax.plot(x, found.mean(axis=0), **style)
    ax.fill_between(
        np.asarray(x), found.min(axis=0), found.max(axis=0), color=line.get_color(), alpha=0.2, linewidth=0
    )


def error_axis(ax: Axes, label: str, least: float) -> None:
    """The share of images taken for another class, on a logarithmic axis from `least` to all."""
    ax.set_yscale("log")
    ax.set_ylim(least, 1.0)
    ax.yaxis.set_major_locator(FixedLocator([0.02, 0.05, 0.1, 0.2, 0.5, 1.0]))
    ax.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    ax.yaxis.set_minor_formatter(NullFormatter())
    ax.set_ylabel(label)


def letters(axes: Sequence[Axes]) -> None:
    """Panels a, b, c, ..., each by its upper left corner."""
    for letter, ax in zip("abcdefgh", axes, strict=False):
        ax.set_title(letter, loc="left", fontweight="bold")


def ranged(values: ArrayLike, digits: int = 3) -> str:
    """The mean over seeds, with the least and the largest where there are several."""
    found = np.asarray(values, dtype=float)
    mean = f"{found.mean():.{digits}f}"
    if found.size < 2:
        return mean
    return f"{mean} ({found.min():.{digits}f} to {found.max():.{digits}f})"


def _shown(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)
