"""What the studies share: their command line, tables of numbers, and rows of small images."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes

Row = Mapping[str, Any]


def folder(about: str | None, name: str) -> Path:
    """The folder that -o names, made if need be; by default results/`name`."""
    parser = argparse.ArgumentParser(description=about)
    parser.add_argument("-o", "--out", type=Path, default=Path("results") / name, help="folder to write to")
    out: Path = parser.parse_args().out
    out.mkdir(parents=True, exist_ok=True)
    return out


def write(out: Path, name: str, settings: Row, rows: Sequence[Row]) -> None:
    """Write settings and results as `name`.json, and the results as a table in Markdown; print that too."""
    document = {"settings": settings, "results": list(rows)}
    (out / f"{name}.json").write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    text = table(rows)
    (out / f"{name}.md").write_text(text, encoding="utf-8")
    sys.stdout.write(text)


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


def _shown(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)
