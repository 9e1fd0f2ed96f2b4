"""A small scenario that the tests of scenario files start from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pcode import InputError
from pcode.scenario import Scenario

SMALL = """\
title = "small"   # a comment
[network]
sizes = [2, 3, 1]
[data]
name = "xor"
[[phase]]
name = "train"
clamp = "both"
duration = 1.0
"""


def load(folder: Path, text: str, *changes: str) -> Scenario:
    path = folder / "small.toml"
    path.write_text(text, encoding="utf-8")
    return Scenario.load(path, changes)


def refused(folder: Path, text: str, *changes: str) -> InputError:
    def build() -> None:
        scenario = load(folder, text, *changes)
        assert scenario.plan
        assert scenario.weights

    with pytest.raises(InputError) as caught:
        build()
    return caught.value


def all_inputs(scenario: Scenario) -> Any:
    assert scenario.data is not None
    return scenario.data.inputs


def weight_arrays(feedback: bool = True) -> dict[str, Any]:
    made: dict[str, Any] = {"M0": np.full((2, 3), 0.1), "M1": np.full((3, 1), 0.2)}
    if feedback:
        made |= {"W0": np.full((3, 2), 0.3), "W1": np.full((1, 3), 0.4)}
    return made | {"beta1": np.full(3, 0.5), "beta2": np.full(1, 0.6)}


def with_weights(table: str) -> str:
    return SMALL.replace("[data]", f"[weights]\n{table}\n[data]")
