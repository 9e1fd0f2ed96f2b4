"""What an answer is: a few lines to read, plain values for scripts, and a figure."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from enum import Enum
from typing import Any, ClassVar

import numpy as np

from ..base import checks
from ..base.errors import InputError
from ..base.html import table
from ..base.lazy import loaded


@dataclass(frozen=True)
class Result:
    """Answer to a question about a run; each question has a subclass of its own.

    Attributes
    ----------
    question : str
        The name of the question, as in `pcode.analysis.QUESTIONS`; of the class.
    """

    question: ClassVar[str] = ""

    def lines(self) -> list[str]:
        """The answer in a few plain lines; the first one alone says the most."""
        raise NotImplementedError

    def to_dict(self) -> dict[str, Any]:
        """The answer as plain values, for JSON; what is not finite is None."""
        values: dict[str, Any] = plain({field.name: getattr(self, field.name) for field in fields(self)})
        return {"question": self.question} | values

    def plot(self, ax: Any = None, **kwargs: Any) -> Any:
        """Draw the answer on one Axes; see the function of this question in `pcode.plotting`.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, optional
            One on a new figure where left out.
        **kwargs
            Options of the plotting function, and keywords of Matplotlib.

        Returns
        -------
        matplotlib.axes.Axes

        Raises
        ------
        InputError
            If the question has no figure.
        """
        figures: Mapping[str, Callable[..., Any]] = loaded("figures of answers")
        if self.question not in figures:
            have = ", ".join(sorted(figures))
            raise InputError("question", f"there is no figure of {self.question}; there are those of {have}")
        return figures[self.question](self, ax=ax, **kwargs)

    def __str__(self) -> str:
        return "\n".join(self.lines())

    def _repr_html_(self) -> str:
        """The answer as a small table, for notebooks: a row for each line."""
        return table(
            f"Answer to the question {self.question}", (), [(line.strip(),) for line in self.lines()]
        )


# For functions whose first argument must be an answer.
of_answer = checks.first_is(Result, "an answer, as pcode.analysis.ask gives it")


def plain(value: Any) -> Any:
    """`value` as JSON can hold it.

    Arrays and tuples become lists, results and dataclasses dictionaries, complex numbers pairs
    [real, imaginary]; None stands where a number is not finite.
    """
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, np.ndarray | np.generic):
        return plain(value.tolist())
    if isinstance(value, list | tuple) and not hasattr(value, "_asdict"):
        return [plain(item) for item in value]
    if hasattr(value, "_asdict"):
        return plain(value._asdict())
    if hasattr(value, "__dataclass_fields__"):
        return plain({field.name: getattr(value, field.name) for field in fields(value)})
    if isinstance(value, complex):
        return [plain(value.real), plain(value.imag)]
    return None if isinstance(value, float) and not math.isfinite(value) else value
