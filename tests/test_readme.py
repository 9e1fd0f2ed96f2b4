"""The examples of the README that no other test runs."""

import re
from pathlib import Path

import numpy as np

TEXT = (Path(__file__).parents[1] / "README.md").read_text()


def example(part):
    """The names that the example with this `part` defines."""
    (code,) = (block for block in re.findall("```python\n(.*?)```", TEXT, re.DOTALL) if part in block)
    names = {}
    exec(code, names)
    return names


def test_the_example_of_a_run_that_goes_on_holds_all_its_phases_and_what_the_observer_kept(capsys):
    names = example("class OutputErrors")
    run = names["run"]
    assert len(run.phases) == 80
    kept = run.groups["output"]
    assert kept.sizes["t"] == 80 * 5
    assert kept["eps"][-1] == run.data["eps2"][-1, 0, 0]
    assert np.isfinite(kept["eps"]).all()
    assert capsys.readouterr().out.startswith("success ")
