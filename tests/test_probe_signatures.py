"""What a user is told of how functions that are handed over will be called."""

import functools
import math

import pytest

import pcode


def simulated(**options):
    network = pcode.Network(sizes=(1, 1))
    phase = pcode.Phase("train", {0: [[1.0]]}, duration=1.0)
    return pcode.simulate(network, [phase], weights=network.init_weights(rng=0), **options)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"probes": {"x": 3}}, "probes[x]: must be a function, to be called as probe(state, context), not 3"),
        ({"progress": 3}, "progress: must be a function, to be called as progress(report), not 3"),
        ({"stop": 3}, "stop: must be a function, to be called as stop(), not 3"),
    ],
)
def test_what_is_no_function_is_refused_with_how_it_would_be_called(options, told):
    with pytest.raises(pcode.InputError) as error:
        simulated(**options)
    assert str(error.value) == told


def test_a_probe_that_takes_other_arguments_is_told_of_those_that_it_gets():
    (note,) = simulated(probes={"x": lambda state: 1.0}).notes
    assert "(it is called as probe(state, context)); no value is kept" in note


def test_any_function_that_takes_a_state_and_a_phase_is_a_probe():
    class Output:
        def __call__(self, state, phase, scale=2.0):
            return scale * state.x[-1]

    probes = {
        "any": lambda *arguments: len(arguments),
        "object": Output(),
        "partial": functools.partial(Output(), scale=1.0),
        "builtin": max,
    }
    found = simulated(probes=probes).phases[0].probes
    assert found["any"] == 2
    assert found["object"][0][0] == 2.0 * found["partial"][0][0]
    assert math.isfinite(found["partial"][0][0])
