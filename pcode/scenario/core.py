"""A scenario: read, checked, and ready to run."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import xarray as xr
from pydantic import ValidationError

from ..analysis.registry import by_name
from ..base import checks, shipped
from ..base.errors import InputError, cut
from ..base.reading import UnreadableError
from ..base.short import Short
from ..model.data import Data
from ..model.data_sets import DATA
from ..model.images import IMAGE_SHAPE, image_shape
from ..model.network import Network, Weights
from ..model.phase import Phase, Save
from ..run.netcdf import netcdf_bytes
from ..run.reached import noted
from ..run.result import Run
from ..run.samples import dataset_of
from ..simulation import Checkpoint, Progress, Simulation, simulate
from ..simulation.arguments import oddities, settings_of
from ..simulation.noise import seed_of, step_of
from ..simulation.plan import Plan, plan
from ..simulation.simulation import Probed
from . import text
from .build import Shown, build_data, build_network, build_phase, build_weights
from .judging import probes
from .lines import check_change, one_line
from .probes_table import build_probes
from .schema import ScenarioFile, SolverTable


@dataclass(frozen=True, eq=False)
class Scenario(Short):
    """What a scenario file asks for.

    Attributes
    ----------
    path : Path
        The file; paths in it are relative to its folder.
    text : str
        Its text, with the changes made to it.
    file : ScenarioFile
        Its tables, typed.
    changes : tuple of str
        What was changed, as ``key=value``.
    allow_code : bool
        Whether code that the file names may be run: an activation or a probe ``module:name``, a recipe by
        its path.
    """

    path: Path
    text: str
    file: ScenarioFile
    changes: tuple[str, ...] = ()
    allow_code: bool = False

    @classmethod
    def load(
        cls, scenario: str | os.PathLike[str], changes: Sequence[str] = (), *, allow_code: bool = False
    ) -> Scenario:
        """Read a scenario.

        Parameters
        ----------
        scenario : str or path
            A scenario file, or the name of a shipped one.
        changes : sequence of str
            Changes to single keys, such as ``network.delta=1e4`` or ``phase.0.duration=10``.
        allow_code : bool
            Whether code that the file names may be run: an activation or a probe ``module:name``, which is
            imported from the scenario's folder or elsewhere, and a recipe by its path.

        Raises
        ------
        InputError
            If there is no such file, it is not TOML, or it has a key or a value that is wrong.
        """
        path = shipped.find("scenarios", str(checks.path("scenario", scenario)))
        with _naming(path, (), own_keys=True):
            written = text.read(path)
        return cls.parse(written, path, changes, allow_code=allow_code)

    @classmethod
    def parse(
        cls, written: str, path: Path, changes: Sequence[str] = (), *, allow_code: bool = False
    ) -> Scenario:
        """Take a scenario from its text.

        Parameters
        ----------
        written : str
            TOML, as a scenario file holds it.
        path : Path
            Where it comes from: paths in it are relative to that folder. The file need not be there.
        changes, allow_code
            As for `load`.

        Raises
        ------
        InputError
            As for `load`.
        """
        changes = checks.listed("changes", changes, 'a list of texts such as "network.delta=1e4"')
        for change in changes:
            checks.instance("changes", change, str, "a list of texts")
        parsed = [text.parse_change(change) for change in changes]
        with _naming(path, changes, own_keys=True):
            for keys, _ in parsed:
                check_change(keys, text.parse(written))
            changed = text.apply(written, changes)
            document = text.parse(changed)
            try:
                file = ScenarioFile.model_validate(document)
            except ValidationError as error:
                raise one_line(error, document) from None
        return cls(path, changed, file, tuple(changes), checks.flag("allow_code", allow_code))

    @property
    def name(self) -> str:
        """The file's name without its suffix."""
        return self.path.stem

    @cached_property
    def network(self) -> Network:
        """The network."""
        with self._naming("network"):
            return build_network(self.file.network, self.path.parent, self.allow_code)

    @cached_property
    def weights(self) -> Weights:
        """The weights that the run starts with."""
        network = self.network
        with self._naming("weights"):
            return build_weights(self.file.weights, network, self.path.parent)

    @cached_property
    def data(self) -> Data | None:
        """The samples, or None where the scenario has none."""
        if self.file.data is None:
            return None
        with self._naming("data"):
            return build_data(self.file.data, self.path.parent)

    @cached_property
    def image_shape(self) -> tuple[int, int] | None:
        """Rows and columns of the images that layer 0 shows, or None where it shows none."""
        table, size = self.file.data, self.network.sizes[0]
        if table is None:
            return None
        if table.image_shape is not None:
            with self._naming("data"):
                return image_shape(table.image_shape, size)
        known = DATA[table.name].image_shape if table.name is not None else None
        return known if known is not None and math.prod(known) == size else None

    @cached_property
    def phases(self) -> tuple[Phase, ...]:
        """The phases, with the values of their clamps."""
        network, data = self.network, self.data
        _ = self.image_shape
        shown = None if data is None or self.file.data is None else Shown(data, self.file.data)
        with self._naming():
            return tuple(
                build_phase(index, table, network, shown, self.path.parent)
                for index, table in enumerate(self.file.phase)
            )

    @cached_property
    def probes(self) -> dict[str, Probed]:
        """What to look at in the course of the run: what the file says, and how good outputs are."""
        data = self.data
        with self._naming("probes"):
            own = build_probes(self.file.probes, data, self.path.parent, self.allow_code)
        judged: dict[str, Any] = probes(self.network, data)
        return {**judged, **own}

    @cached_property
    def save(self) -> Save:
        """Which times to keep."""
        table = self.file.save
        with self._naming("save"):
            if not math.isfinite(table.memory_gb * 1e9):
                raise InputError("memory_gb", f"must be finite in bytes, not {table.memory_gb:g} GB")
            return Save(
                table.nodes,
                table.weights,
                table.spacing,
                table.memory_gb * 1e9,
                table.presentations,
                table.presentation_nodes,
            )

    @cached_property
    def plan(self) -> Plan:
        """What the run will solve and keep; nothing large has been made by then."""
        network, phases = self.network, self.phases
        with self._naming():
            solver = self.file.solver
            step = step_of(network, solver.step)
            settings = settings_of(solver.rtol, solver.atol, solver.max_steps, step, seed_of(solver.seed))
            return plan(network, phases, self.save, solver.method, settings=settings)

    @cached_property
    def questions(self) -> tuple[str, ...]:
        """The questions to answer after the run."""
        for k, name in enumerate(self.file.analysis.questions):
            with self._naming(f"analysis.questions.{k}"):
                try:
                    by_name(name)
                except InputError as error:
                    raise InputError("", error.what) from None
        return tuple(dict.fromkeys(self.file.analysis.questions))

    def simulate(
        self,
        progress: Callable[[Progress], None] | None = None,
        stop: Callable[[], bool] | None = None,
        *,
        checkpoint: Checkpoint | str | os.PathLike[str] | None = None,
        resume: str | os.PathLike[str] | None = None,
    ) -> Run:
        """Run the scenario.

        Parameters
        ----------
        progress, stop, checkpoint, resume : optional
            See `pcode.simulate`.

        Returns
        -------
        Run
            With the scenario's text among its attributes.

        Raises
        ------
        InputError
            If something asked for cannot be done.
        """
        arguments, kept = self._arguments(), Checkpoint.of(checkpoint)
        # What `pcode.resume` needs to find the files that the scenario names.
        about = {"scenario": self.text, "path": str(self.path.absolute())}
        if kept is not None:
            kept = replace(kept, about=about)
        with self._naming():
            run = simulate(**arguments, progress=progress, stop=stop, checkpoint=kept, resume=resume)
        return noted(run, about)

    def least_bytes(self) -> int:
        """Bytes that the file of the result takes at least: those of its attributes and samples."""
        data, attributes = self.data, xr.Dataset(attrs=self._arguments()["attributes"])
        samples = {} if data is None else {"samples": dataset_of(data, self.network)}
        return len(netcdf_bytes(attributes, samples))

    def check(self) -> list[str]:
        """Check all that `simulate` and the questions after it check before anything is computed.

        Returns
        -------
        list of str
            What is odd about the run, though it is possible: one line each.

        Raises
        ------
        InputError
            If something asked for cannot be done.
        """
        arguments = self._arguments()
        phases = arguments.pop("phases")
        with self._naming():
            Simulation(**arguments).check(phases)
        _ = self.questions
        return oddities(self.network, (phase.learn for phase in phases))

    def _arguments(self) -> dict[str, Any]:
        """The arguments of `simulate`."""
        _ = self.plan  # that the run is possible is known before the weights are drawn
        solver = self.file.solver
        images = {} if self.image_shape is None else {IMAGE_SHAPE: list(self.image_shape)}
        return {
            "network": self.network,
            "phases": self.phases,
            "weights": self.weights,
            "nodes": self.file.start.nodes,
            "method": solver.method,
            "rtol": solver.rtol,
            "atol": solver.atol,
            "max_steps": solver.max_steps,
            "step": solver.step,
            "seed": solver.seed,
            "save": self.save,
            "data": self.data,
            "probes": self.probes,
            "attributes": {
                "title": self.file.title,
                "scenario": self.text,
                "scenario_file": os.fsencode(self.path.name).decode(errors="backslashreplace"),
                "seed": self.file.weights.seed,
                **images,
            },
        }

    @contextmanager
    def _naming(self, table: str = "") -> Iterator[None]:
        with _naming(self.path, self.changes, table):
            yield


@contextmanager
def _naming(path: Path, changes: Sequence[str], table: str = "", own_keys: bool = False) -> Iterator[None]:
    """Give errors the keys of the file, and its name; with `own_keys` they have its keys already."""
    try:
        yield
    except MemoryError as error:
        why = f" ({cut(str(error), 100)})" if str(error) else ""
        what = f"needs more memory than there is{why}; use smaller layers or fewer samples"
        raise InputError(table or "the run", what, str(path)) from None
    except InputError as error:
        if error.source is not None and error.source != "--set" and not isinstance(error, UnreadableError):
            raise
        inner = error.within(table) if table else error
        where = inner.where if own_keys else _key(inner.where.rstrip("."))
        source = str(path)
        for change in changes:
            key = change.partition("=")[0].strip()
            if where and (f"{where}.".startswith(f"{key}.") or f"{key}.".startswith(f"{where}.")):
                source = f"{path} with --set {cut(change, 60)}"
        raise InputError(where, error.what, source) from None


def _key(where: str) -> str:
    """The key of the file for an argument of the functions that it goes to."""
    key = re.sub(r"\[(\w+)\]", r".\1", where)
    key = re.sub(r"^phases\b", "phase", key).removeprefix("attributes.")
    key = re.sub(r"^save\.memory$", "save.memory_gb", key)
    return f"solver.{key}" if key in SolverTable.model_fields else key
