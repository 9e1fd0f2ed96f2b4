"""How well a network tells classes apart that its data name.

The class that a sample is taken for is that of the largest output. Outputs are those of nodes at rest with
layer 0 clamped to the inputs, or of the feedforward pass, with the weights of one moment.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from ..base import checks
from ..base.errors import InputError
from ..base.tables import Table
from ..model.data import Data, Part
from ..model.network import Array
from ..run.predict import Method, predict
from ..run.result import Run
from ..run.select import of_run
from ..run.snapshot import PhaseOption, Snapshot, TimeOption
from .classification_tables import average_table, class_table, confusion_table, sample_table
from .result import Result

ASKS = "how well classes are told apart: precision and recall of each, and which are confused"

# Pairs of classes that are confused, of which so many are told.
MOST_PAIRS = 3

Whole = NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class Classification(Result):
    """Answer to the question `classification`.

    Attributes
    ----------
    part : {"train", "test", "all"}
        Which samples of the data were classified.
    method : {"equilibrium", "feedforward"}
        Whose outputs these are.
    names : tuple of str
        The k classes.
    samples : tuple of int
        The S rows of the data.
    true, predicted : ndarray of int, shape (S,)
        Number of the class of each sample, and of the class that it is taken for.
    confusion : ndarray of int, shape (k, k)
        How many samples of each class (row) are taken for each class (column).
    precision, recall, f1 : ndarray, shape (k,)
        Share of the samples taken for a class that are of it; share of the samples of a class that are taken
        for it; the harmonic mean of the two. 0 where there is nothing to divide by.
    support : ndarray of int, shape (k,)
        How many samples there are of each class.
    accuracy : float
        Share of all samples whose class is right.
    macro_precision, macro_recall, macro_f1 : float
        Means over the classes that occur, as classes of samples or as what they are taken for.
    difference : float
        Largest difference of an output at rest from that of the feedforward pass; NaN where some are at no
        rest.
    agreement : int or None
        How many samples are taken for the same class by both.
    notes : tuple of str
        What to mind.
    """

    question: ClassVar[str] = "classification"

    part: Part
    method: Method
    names: tuple[str, ...]
    samples: tuple[int, ...]
    true: Whole = field(repr=False)
    predicted: Whole = field(repr=False)
    confusion: Whole
    precision: Array
    recall: Array
    f1: Array
    support: Whole
    accuracy: float
    macro_precision: float
    macro_recall: float
    macro_f1: float
    difference: float
    agreement: int | None
    notes: tuple[str, ...] = ()

    def lines(self) -> list[str]:
        """The answer in a few plain lines."""
        right, count = int(np.trace(self.confusion)), len(self.samples)
        plural = "s" * (count != 1)
        part = "" if self.part == "all" else f"{self.part} "
        macro = (
            f"precision {self.macro_precision:.3f}, recall {self.macro_recall:.3f}, F1 {self.macro_f1:.3f}"
        )
        width = max(5, *map(len, self.names))
        return [
            f"{right} of {count} {part}sample{plural} right, accuracy {self.accuracy:.4f}; "
            f"means over classes: {macro}",
            self._agreement(count),
            *self._confused(),
            f"  {'class':<{width}}  precision  recall     F1  samples",
            *(
                f"  {name:<{width}}  {p:9.3f}  {r:6.3f}  {f:5.3f}  {s:7d}"
                for name, p, r, f, s in zip(
                    self.names, self.precision, self.recall, self.f1, self.support, strict=True
                )
            ),
            *(f"note: {note}" for note in self.notes),
        ]

    def _agreement(self, count: int) -> str:
        words = {"equilibrium": "nodes at rest", "feedforward": "the feedforward pass"}
        taken = words.pop(self.method)
        if self.agreement is None:
            return f"outputs of {taken}"
        same = "all" if self.agreement == count else f"{self.agreement} of {count}"
        apart = f"differ by at most {self.difference:.2g}, with the same class for {same}"
        return f"outputs of {taken}; those of {words.popitem()[1]} {apart}"

    def _confused(self) -> list[str]:
        """The pairs of classes that are confused most often, in a line; none where there are none."""
        wrong = self.confusion - np.diag(np.diag(self.confusion))
        order = np.argsort(-wrong, axis=None, kind="stable")[:MOST_PAIRS]
        pairs = [divmod(int(k), len(self.names)) for k in order if wrong.flat[k]]
        told = [f"{self.names[a]} taken for {self.names[b]} ({wrong[a, b]})" for a, b in pairs]
        return [f"most confused: {', '.join(told)}"] if told else []

    def tables(self) -> dict[str, Table]:
        """The tables `classes`, `averages`, `confusion` and `samples`."""
        return {
            "classes": class_table(self.names, self.precision, self.recall, self.f1, self.support),
            "averages": average_table(
                accuracy=self.accuracy,
                precision=self.macro_precision,
                recall=self.macro_recall,
                f1=self.macro_f1,
                difference=self.difference,
            ),
            "confusion": confusion_table(self.names, self.confusion),
            "samples": sample_table(self.names, self.samples, self.true, self.predicted),
        }


@of_run
def classification(
    run: Run,
    part: Literal["train", "test", "all"] | None = None,
    method: Literal["equilibrium", "feedforward"] = "equilibrium",
    phase: PhaseOption = None,
    time: TimeOption = None,
    data: Data | None = None,
) -> Classification:
    """Classify samples by the largest output, and count.

    Parameters
    ----------
    run : Run
    part : {"train", "test", "all"}, optional
        Which samples of the data; those to test on where left out, or all where there are none.
    method : {"equilibrium", "feedforward"}
        Outputs of nodes at rest, or of the feedforward pass; the other is computed for comparison.
    phase : int or str, optional
        Index or name of the phase whose weights are meant; the last where left out.
    time : float or str, optional
        The moment whose weights are meant, in the run's time; the end of the phase where left out.
    data : Data, optional
        The data, in Python; those that the run was given where left out.

    Returns
    -------
    Classification

    Raises
    ------
    InputError
        If there are no data, their targets name no classes, or they do not fit the network; if for some
        samples no equilibrium is reached, and `method` is "equilibrium".
    """
    checks.word("method", method, get_args(Method))
    known = _data(run, data)
    part = part or ("test" if known.rows("test") else "all")
    rows = known.rows(part)
    if not rows:
        raise InputError("part", f'there are no samples of "{part}" in the data; choose another')
    of_last = phase is None and time is None
    weights = run.weights if of_last else Snapshot.of(run, phase, time).state.weights
    inputs, true = known.inputs[list(rows)], known.labels[list(rows)]
    outputs: dict[Method, Array] = {
        "feedforward": predict(run.network, weights, inputs, method="feedforward")
    }
    notes: tuple[str, ...] = ()
    try:
        outputs["equilibrium"] = predict(run.network, weights, inputs)
    except InputError as error:
        if method == "equilibrium":
            raise
        notes = (f"nodes at rest are not compared: {error.what}",)
    return _counted(known, part, rows, method, true, outputs, notes)


def _data(run: Run, data: Data | None) -> Data:
    """The data to classify, checked against the network."""
    if data is not None:
        checks.instance("data", data, Data, "a pcode.Data, or left out")
    known = run.samples if data is None else data
    if known is None:
        what = (
            "the run was given none; simulate(..., data=...) keeps them, as scenarios do, or give data here"
        )
        raise InputError("data", what)
    sizes = run.network.sizes
    if known.targets is None or not known.classes:
        raise InputError("data", "has targets that name no classes; one-hot ones do (one_hot = true)")
    for what, width, layer in (("inputs", known.inputs.shape[1], 0), ("targets", known.targets.shape[1], -1)):
        if width != sizes[layer]:
            layer_name = f"layer {layer % len(sizes)}"
            raise InputError("data", f"has {what} of {width} values; {layer_name} has {sizes[layer]} nodes")
    return known


def _counted(
    data: Data,
    part: Part,
    rows: tuple[int, ...],
    method: Method,
    true: Whole,
    outputs: dict[Method, Array],
    notes: tuple[str, ...],
) -> Classification:
    predicted = {name: output.argmax(axis=1) for name, output in outputs.items()}
    names = data.class_names or ()
    confusion = np.zeros((len(names), len(names)), dtype=np.intp)
    np.add.at(confusion, (true, predicted[method]), 1)
    right, support, taken = np.diag(confusion), confusion.sum(axis=1), confusion.sum(axis=0)
    precision, recall, f1 = (
        a / np.maximum(b, 1) for a, b in ((right, taken), (right, support), (2 * right, support + taken))
    )
    occurs = support + taken > 0
    both = len(outputs) == len(get_args(Method))
    apart = np.abs(outputs["equilibrium"] - outputs["feedforward"]).max() if both else np.nan
    same = (predicted["equilibrium"] == predicted["feedforward"]).sum() if both else None
    means: dict[str, Any] = {
        f"macro_{name}": float(values[occurs].mean())
        for name, values in (("precision", precision), ("recall", recall), ("f1", f1))
    }
    return Classification(
        part=part,
        method=method,
        names=names,
        samples=rows,
        true=true,
        predicted=predicted[method],
        confusion=confusion,
        precision=precision,
        recall=recall,
        f1=f1,
        support=support,
        accuracy=float(right.sum() / len(rows)),
        difference=float(apart),
        agreement=None if same is None else int(same),
        notes=notes,
        **means,
    )
