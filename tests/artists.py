"""What a test asks of the artists on an Axes."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D


def curves(ax: Axes) -> list[Line2D]:
    """Lines over time: neither phase boundaries nor dots."""
    return [line for line in ax.get_lines() if line.get_linestyle() != "None" and len(line.get_xdata()) > 2]


def drawn(line: Line2D) -> tuple[np.ndarray, np.ndarray]:
    """Data of a line without the gaps between phases."""
    t, values = (np.asarray(data) for data in line.get_data())
    there = np.isfinite(values)
    return t[there], values[there]


def legend_texts(ax: Axes) -> list[str]:
    legend = ax.get_legend()
    return [] if legend is None else [text.get_text() for text in legend.get_texts()]


def phase_names(ax: Axes) -> list[str]:
    return [text.get_text() for text in ax.texts if text.get_gid() == "phase"]
