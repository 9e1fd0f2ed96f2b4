"""The points of a sweep: all combinations of the axes' values, each a scenario, checked before any is run."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import tomlkit

from ..base.errors import InputError
from ..scenario import Scenario
from .axes import Axis

# More points than this are a slip of the pen.
MOST_POINTS = 100_000

# Values of a point that an error tells.
MOST_TOLD = 6


@dataclass(frozen=True)
class Point:
    """A point of a sweep.

    Attributes
    ----------
    number : int
        Its number, counted from 0, the last axis fastest.
    values : dict of str to value
        The values of all keys.
    """

    number: int
    values: Mapping[str, Any]

    @property
    def changes(self) -> list[str]:
        """What it changes in the scenario, as for ``--set``."""
        return [f"{key}={toml(value)}" for key, value in self.values.items()]

    def __str__(self) -> str:
        told = [change if len(change) <= 40 else f"{change[:37]}..." for change in self.changes]
        more = f", and {len(told) - MOST_TOLD} more" if len(told) > MOST_TOLD else ""
        return f"point {self.number} ({', '.join(told[:MOST_TOLD])}{more})"

    def scenario(self, base: Scenario) -> Scenario:
        """Its scenario, by the changes it makes to that of the sweep.

        Raises
        ------
        InputError
            If the scenario refuses them; it names the point.
        """
        with _Naming(self, base):
            return Scenario.parse(base.text, base.path, self.changes, allow_code=base.allow_code)

    def checked(self, base: Scenario) -> Scenario:
        """As `scenario`, with all checks that there are before a run.

        Raises
        ------
        InputError
            If the point cannot be run.
        """
        made = self.scenario(base)
        with _Naming(self, base):
            made.check()
        return made


class _Naming:
    """While entered, gives errors the scenario's name and the point, in place of what was changed."""

    def __init__(self, point: Point, base: Scenario) -> None:
        self._source = f"{base.path}, {point}"

    def __enter__(self) -> None:
        pass

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        if isinstance(error, InputError):
            raise InputError(error.where, error.what, self._source) from None


def toml(value: Any) -> str:
    """A value as TOML, on one line."""
    if isinstance(value, Mapping):
        return (
            f"{{ {', '.join(f'{tomlkit.key(key).as_string()} = {toml(of)}' for key, of in value.items())} }}"
        )
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(toml, value))}]"
    return str(tomlkit.item(value).as_string())


def points_of(axes: Sequence[Axis], where: str = "over") -> list[Point]:
    """All combinations of the values of the axes.

    Raises
    ------
    InputError
        If there are too many, or a key is none that a sweep can change.
    """
    for key in (key for axis in axes for key in axis.keys):
        if "." not in key:
            raise InputError(where, f"{key}: must be a key of a table, such as network.delta")
        if key.startswith("sweep."):
            raise InputError(where, f"{key}: is of the sweep itself; give a key of the scenario")
    count = math.prod(map(len, axes))
    if count > MOST_POINTS:
        raise InputError(where, f"makes {count:,} points; at most {MOST_POINTS:,} are possible, give fewer")
    return list(_combined(axes))


def _combined(axes: Sequence[Axis]) -> Iterator[Point]:
    for number, rows in enumerate(itertools.product(*(axis.values for axis in axes))):
        pairs = zip(axes, rows, strict=True)
        yield Point(number, {k: v for axis, row in pairs for k, v in zip(axis.keys, row, strict=True)})


def check_points(
    base: Scenario, points: Sequence[Point], stop: Callable[[], bool] | None = None
) -> dict[int, str]:
    """Build and check every point.

    Parameters
    ----------
    base : Scenario
    points : sequence of Point
    stop : callable, optional
        Asked between points whether to leave off.

    Returns
    -------
    dict of int to str
        The structure of each point's network and phases, by its number: what is compiled for one point serves
        all points of the same structure.

    Raises
    ------
    InputError
        For the first point that cannot be run; it names the point and the key.
    """
    found: dict[int, str] = {}
    for point in points:
        if stop is not None and stop():
            break
        found[point.number] = structure(point.checked(base))
    return found


def structure(scenario: Scenario) -> str:
    """What decides on the compiled code of a run: shapes, activations, clamps, what learns, the method."""
    network, plan = scenario.network, scenario.plan
    phases = [
        (layout.batch, sorted(layout.shapes.items()), sorted(phase.clamp), phase.learn, phase.until)
        for phase, layout in zip(scenario.phases, plan.layouts, strict=True)
    ]
    fixed = (network.sizes, list(map(str, network.activation)), network.feedback, scenario.file.solver.method)
    return repr((*fixed, phases))
