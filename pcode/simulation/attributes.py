"""The attributes of a run's dataset."""

from __future__ import annotations

import json
import platform
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict
from functools import cache
from importlib import metadata

from ..base.status import SolverStats, Status
from ..model.activations import to_plain
from ..model.network import Network
from ..run.clamps import ClampArrays
from ..run.record import PhaseRecord
from ..solvers import Settings


def attributes_of(
    network: Network, records: Sequence[PhaseRecord], method: str, settings: Settings, clamps: ClampArrays
) -> dict[str, str | float]:
    """The attributes of a run's dataset, without its notes; arrays of its clamps are put into `clamps`."""
    status = Status.worst([record.status for record in records])
    messages = [record.message for record in records if record.status is status]
    total = sum((record.stats for record in records), SolverStats())
    unit: dict[str, str | float] = {} if network.time_unit is None else {"time_unit": network.time_unit}
    noise: dict[str, str | float] = {}
    if network.noisy or settings.step is not None:
        noise["noise_seed"] = settings.seed
    if settings.step is not None:
        noise["step"] = settings.step
    return unit | {
        "network": json.dumps(network.to_dict(), default=to_plain),
        "phases": json.dumps([record.to_dict(clamps) for record in records]),
        "status": str(status),
        "message": messages[-1],
        "method": ", ".join(dict.fromkeys(record.method for record in records)),
        "method_asked": method,
        "method_reason": "; ".join(f"{record.name}: {record.method_reason}" for record in records),
        "rtol": settings.rtol,
        "atol": settings.atol,
        **noise,
        "solver_statistics": json.dumps(asdict(total)),
        "versions": json.dumps(_versions()),
    }


@cache
def _versions() -> dict[str, str]:
    """Versions of Python and of the packages that determine the numbers."""
    versions = {"python": platform.python_version()}
    for package in ("pcode-sim", "numpy", "scipy", "jax", "diffrax", "scikit-sundae", "xarray"):
        with suppress(metadata.PackageNotFoundError):  # pcode in a checkout that is not installed
            versions[package] = metadata.version(package)
    return versions
