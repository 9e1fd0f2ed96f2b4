"""The answer to `classification` as tables."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ..base.tables import Column, Table, escaped
from ..model.network import Array

Whole = NDArray[np.intp]


def class_table(names: Sequence[str], precision: Array, recall: Array, f1: Array, support: Whole) -> Table:
    """One row for each class."""
    return Table(
        "class; support is how many samples are of it",
        (
            Column("class", list(names), "class"),
            Column("precision", precision.tolist(), "precision"),
            Column("recall", recall.tolist(), "recall"),
            Column("f1", f1.tolist(), "$F_1$"),
            Column("support", support.tolist(), "support"),
        ),
    )


def average_table(accuracy: float, precision: float, recall: float, f1: float, difference: float) -> Table:
    """One row: the accuracy, and means over classes."""
    return Table(
        "answer; precision, recall and F1 are means over the classes",
        (
            Column("accuracy", [accuracy], "accuracy"),
            Column("macro_precision", [precision], "precision"),
            Column("macro_recall", [recall], "recall"),
            Column("macro_f1", [f1], "$F_1$"),
            Column("difference", [difference], "difference from the other method"),
        ),
    )


def confusion_table(names: Sequence[str], confusion: Whole) -> Table:
    """One row for each class, and a column for each class that its samples are taken for."""
    taken = (
        Column(f"as {name}", column.tolist(), escaped(name))
        for name, column in zip(names, confusion.T, strict=True)
    )
    return Table("class, and as what its samples are taken", (Column("class", list(names), "class"), *taken))


def sample_table(names: Sequence[str], samples: Sequence[int], true: Whole, predicted: Whole) -> Table:
    """One row for each sample."""
    return Table(
        "sample; row of the data",
        (
            Column("sample", list(samples), "sample"),
            Column("class", [names[k] for k in true], "class"),
            Column("predicted", [names[k] for k in predicted], "predicted"),
            Column("right", (true == predicted).tolist(), "right"),
        ),
    )
