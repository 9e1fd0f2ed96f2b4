"""`simulate`: a network, its weights and its phases to a `Run`, in one call."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ..model.data import Data
from ..model.network import Network, Weights
from ..model.phase import NodeStart, Phase, Save
from ..model.state import State
from ..run.result import Run
from .callbacks import Progress
from .checkpoint import Checkpoint
from .plan import phases_of
from .simulation import Probed, Simulation


def simulate(
    network: Network,
    phases: Iterable[Phase],
    *,
    weights: Weights,
    nodes: NodeStart | State = "feedforward",
    method: str = "auto",
    rtol: float = 1e-6,
    atol: float = 1e-9,
    max_steps: int = 1_000_000,
    step: float | str | None = None,
    seed: int = 0,
    save: Save | None = None,
    data: Data | None = None,
    probes: Mapping[str, Probed] | None = None,
    attributes: Mapping[str, Any] | None = None,
    progress: Callable[[Progress], Any] | None = None,
    stop: Callable[[], Any] | None = None,
    checkpoint: Checkpoint | str | os.PathLike[str] | None = None,
    resume: str | os.PathLike[str] | None = None,
) -> Run:
    """Integrate the coupled equations of values, errors and weights, phase after phase.

    Parameters
    ----------
    network : Network
    phases : iterable of Phase
        Run one after the other. At the start of each, newly clamped nodes jump to their values, and newly
        freed ones continue from where they were.
    weights : Weights
        Initial weights, see `Network.init_weights`.
    nodes : {"feedforward", "zero", "equilibrium"} or State
        Initial nodes of samples that the phase before did not show: at the feedforward pass or at zero, with
        eps = 0, or at rest. A State is used for the first phase. With tau = 0 all nodes start at the
        equilibrium to which their flow leads from there.
    method : str
        Name of a solver, see `pcode.METHODS`; "auto" chooses one for each phase and says why.
    rtol, atol : float
        Relative and absolute tolerance of a step's local error in every unknown: 2.2e-14 <= rtol <= 1e-2 and
        0 < atol <= 1e-2.
    max_steps : int
        Most steps of a phase, or of each of its presentations.
    step : float or str, optional
        Length of the steps of methods for noise, such as 0.1 or "1 ms"; adaptive steps where left out.
    seed : int
        Seed of the noise. The same seed gives the same path, with fixed steps for steps of the same length;
        adaptive steps follow the same path whatever the tolerances.
    save : Save, optional
        Which times to save.
    data : Data, optional
        The samples that phases show rows of. They are kept in the result, as `Run.samples`, for questions
        such as `classification`; what is shown is for the phases to say.
    probes : mapping of str to Probe or callable, optional
        What to look at on the way, by name; see `Probe`. Each is a variable of its name in ``run.data``, over
        `probe_time`, with NaN where others were due, and its last value in a phase is in the phase's record,
        ``run.phases[k].probes[name]``. A function ``probe(state, context)`` alone is called at the end of
        every phase. It returns a number or an array; None is no value. A probe that raises has no value
        there, and changes nothing else. For example, ``probes={"output": lambda state, context:
        state.x[-1]}``, or ``probes={"acc": pcode.Probe("accuracy", data=(X, Y), deltas=1.0)}``.
    attributes : mapping of str to value, optional
        Additional attributes of the result: str, numbers, or lists of these. Figures know
        `image_shape`, rows and columns of the images that layer 0 shows.
    progress : callable, optional
        A function ``progress(report)``, called with a `Progress` at most ten times a second; not called again
        once it has raised.
    stop : callable, optional
        A function ``stop()``, called between steps; if it returns True, or raises, the run ends with
        status `interrupted`. By default the first Ctrl-C does so, and a second one raises KeyboardInterrupt.
    checkpoint : path or Checkpoint, optional
        A file, such as ``"checkpoint.nc"``, in which the run is kept each minute, or as `Checkpoint` says, so
        that it can be resumed should the process be killed. It changes nothing in the result.
    resume : path, optional
        Such a file, or the result of a run that was interrupted: the run goes on from there. All other
        arguments must be those of that run.

    Returns
    -------
    Run
        Also if a phase failed or was interrupted: then up to the time reached. Anything unusual, such as a
        probe that raised, is listed in its `notes`.

    Raises
    ------
    InputError
        If an argument is wrong; nothing has been computed then.
    """
    simulation = Simulation(
        network,
        weights=weights,
        nodes=nodes,
        method=method,
        rtol=rtol,
        atol=atol,
        max_steps=max_steps,
        step=step,
        seed=seed,
        save=save,
        data=data,
        probes=probes,
        attributes=attributes,
        progress=progress,
        stop=stop,
    )
    return simulation.run(phases_of(network, phases), checkpoint=checkpoint, resume=resume)
