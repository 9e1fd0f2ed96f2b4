"""The answer to `equilibrium` as tables."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..base.tables import Column, Table
from ..model.network import Array
from ..model.variables import X
from .words import in_latex


def equilibrium_table(equilibria: Sequence[tuple[int, str, tuple[Array, ...]]]) -> Table:
    """One row for each equilibrium: its sample, its kind, and the value nodes of layers 0..n."""
    layers = [] if not equilibria else list(enumerate(equilibria[0][2]))
    values = (
        Column(name, [float(x[layer][k]) for _, _, x in equilibria], in_latex(name))
        for layer, first in layers
        for k in range(len(first))
        for name in [f"{X}{layer}[{k}]"]
    )
    return Table(
        "equilibrium of the nodes of a sample, weights held",
        (
            Column("sample", [sample for sample, _, _ in equilibria], "sample"),
            Column("kind", [kind for _, kind, _ in equilibria], "kind"),
            *values,
        ),
    )


def sample_table(samples: Sequence[int], residual: Array, distinct: Any) -> Table:
    """One row for each sample: how near to rest its nodes came, and how many equilibria were found."""
    counts = [None] * len(samples) if distinct is None else distinct.tolist()
    return Table(
        "sample; residual max |tau dz/dt| / (1 + |z|)",
        (
            Column("sample", list(samples), "sample"),
            Column("residual", residual.tolist(), "residual"),
            Column("equilibria", counts, "equilibria"),
        ),
    )
