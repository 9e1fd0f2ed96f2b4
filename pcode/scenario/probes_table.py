"""The table [probes] of a scenario file: what to look at in the course of the run."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, Tag

from ..base.errors import InputError
from ..base.near import hint
from ..model.data import Data
from ..model.importing import importable, imported
from ..simulation import Probe
from ..simulation.measures import MEASURES, Samples
from .forms import Positive, Table, either


class ProbeTable(Table):
    """Something to look at in the course of the run."""

    what: str
    """What to look at: accuracy, loss or error on named samples, energy, energy_slaved, gradient_angle,
    gradient_size, feedback_angle, norms or changes; or a function of your own, "mymodule:f", of the state and
    the context, which --allow-code imports."""
    data: Literal["train", "test", "all"] | None = None
    """The samples that accuracy, loss and error are judged by: "test" if there are any, or else "train",
    where left out."""
    presentations: int | None = Field(default=None, ge=1)
    """Look at the end of every so many presentations."""
    deltas: Positive | None = None
    """Look every so many times delta."""
    at: Literal["ends", "weights"] | None = None
    """Look at the end of every pass (as where nothing is said), or whenever weights are saved; all look at
    the start and the end of every phase too."""
    label: str | None = Field(default=None, min_length=1)
    """What to call it in figures; by default the name of its samples, or its own."""


ProbesTable = dict[
    str,
    Annotated[
        Annotated[str, Tag("text")] | Annotated[ProbeTable, Tag("table")],
        either('what to look at, such as "loss", or a table such as { what = "loss", deltas = 1.0 }'),
    ],
]


def build_probes(
    table: Mapping[str, str | ProbeTable], data: Data | None, folder: Path, allow_code: bool = False
) -> dict[str, Probe]:
    """The probes of a scenario, by name.

    Parameters
    ----------
    table : mapping of str to str or ProbeTable
    data : Data or None
    folder : Path
        The scenario's folder, whose modules can be imported.
    allow_code : bool
        Whether a function ``module:name`` may be imported.

    Raises
    ------
    InputError
        If a value is wrong, its samples are not there, or code is asked for that is not allowed.
    """
    found: dict[str, Samples] = {}  # the same for all that are judged by it
    return {name: _probe(name, entry, data, folder, allow_code, found) for name, entry in table.items()}


def _probe(
    name: str,
    entry: str | ProbeTable,
    data: Data | None,
    folder: Path,
    allow_code: bool,
    found: dict[str, Samples],
) -> Probe:
    short = isinstance(entry, str)
    given = ProbeTable(what=entry) if isinstance(entry, str) else entry
    try:
        what = _what(given.what, folder, allow_code)
        measure = MEASURES.get(given.what)
        judged = measure is not None and measure.of_samples
        part = (given.data or _default_part(data)) if judged else given.data
        samples: Any = part
        if judged and part is not None:
            samples = found.setdefault(part, _samples(data, part))
        when = {"presentations": given.presentations, "deltas": given.deltas, "at": given.at}
        return Probe(what, data=samples, label=given.label or (part if judged else None), **when)  # type: ignore[arg-type]
    except InputError as error:
        where = "" if short and error.where == "what" else error.where
        raise InputError(where, error.what).within(name) from None


def _what(what: str, folder: Path, allow_code: bool) -> Any:
    """A word, or the function that stands at ``module:name``."""
    if ":" not in what:
        if what not in MEASURES:
            known = f"{', '.join(MEASURES)}, or a function module:name"
            raise InputError("what", f'must be one of {known}, not "{what}"{hint(what, MEASURES)}')
        return what
    if not allow_code:
        refused = f'"{what}" is code outside of this file; with --allow-code it is imported'
        raise InputError("what", f"{refused}, from this file's folder or where Python looks else")
    with importable([folder]):
        return imported("what", what)


def _default_part(data: Data | None) -> str:
    return "test" if data is not None and data.rows("test") else "train"


def _samples(data: Data | None, part: Any) -> Samples:
    """The samples of a part of the data.

    Raises
    ------
    InputError
        If there are none, or they have no targets.
    """
    if data is None:
        raise InputError(
            "data", "there is no [data], so there are no samples; add it, or leave this probe out"
        )
    if data.targets is None:
        raise InputError("data", "the data have no targets to judge by; add them, or leave this probe out")
    rows = list(data.rows(part))
    if not rows:
        what = f"there are no {part} samples; say how many with data.{part}, or give another part"
        raise InputError("data", what)
    try:
        return Samples.of((data.inputs[rows], data.targets[rows]))
    except InputError as error:
        raise error.within("data") from None
