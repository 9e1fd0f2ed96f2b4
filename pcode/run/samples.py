"""The samples that a run was given, as the group `samples` of its result.

``inputs`` (sample_row, unit0) and ``targets`` (sample_row, unitn), ``part`` (sample_row), 0 for training and
1 for test samples, and ``origin`` (sample_row), the row of the source; ``input_mean`` and ``input_std``
(unit0) of inputs that were standardised. The attributes `class_names` and `levels` are of one-hot targets.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

from ..model.data import Data
from ..model.network import Network

ROW = "sample_row"


def dataset_of(data: Data, network: Network) -> xr.Dataset:
    """The samples as a dataset.

    Dimensions of inputs and targets are named after the layers that they fit, else ``input`` and ``target``.
    """
    inputs = "unit0" if data.inputs.shape[1] == network.sizes[0] else "input"
    kept: dict[str, Any] = {
        "inputs": ((ROW, inputs), data.inputs, {"long_name": "inputs of the data"}),
        "part": (
            ROW,
            (np.arange(len(data)) >= data.train).astype(np.int64),
            {"long_name": "part of the data", "flag_values": [0, 1], "flag_meanings": "train test"},
        ),
        "origin": (ROW, np.array(data.origin, dtype=np.int64), {"long_name": "row of the source"}),
    }
    if data.targets is not None:
        last = f"unit{network.n}" if data.targets.shape[1] == network.sizes[-1] else "target"
        kept["targets"] = ((ROW, last), data.targets, {"long_name": "targets of the data"})
    if data.mean is not None and data.std is not None:
        kept["input_mean"] = (inputs, data.mean, {"long_name": "mean subtracted from the inputs"})
        kept["input_std"] = (inputs, data.std, {"long_name": "standard deviation that divided the inputs"})
    attributes: dict[str, Any] = {}
    if data.levels is not None and data.class_names is not None:
        attributes = {"levels": list(data.levels), "class_names": list(data.class_names)}
    return xr.Dataset(kept, attrs=attributes)


def data_of(kept: xr.Dataset) -> Data:
    """The inverse of `dataset_of`; where values stood in a file is not known any more."""
    arrays = {name: kept[name].to_numpy() for name in kept.data_vars}
    names, levels = kept.attrs.get("class_names"), kept.attrs.get("levels")
    return Data(
        arrays["inputs"],
        arrays.get("targets"),
        train=int((arrays["part"] == 0).sum()),
        origin=arrays["origin"].tolist(),
        levels=None if levels is None else [float(level) for level in levels],
        class_names=None if names is None else [str(name) for name in names],
        mean=arrays.get("input_mean"),
        std=arrays.get("input_std"),
    )
