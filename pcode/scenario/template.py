"""The scenario that `pcode new` writes."""

from __future__ import annotations

from ..model.activations import ACTIVATIONS
from ..model.data_sets import DATA
from ..model.network import Network
from ..simulation.measures import MEASURES
from ..solvers.settings import Settings

_NAMES = " or ".join(f'"{name}"' for name in DATA)

TEMPLATE = f"""\
# A scenario of pcode: what to simulate. Check it with `pcode check`, run it with `pcode run`.
# Keys that are commented out show what else there is; `pcode schema` prints a schema for editors.

title = "A network learns four patterns, then is tested on them"

[network]
sizes = [2, 6, 1]             # nodes of the layers 0 (input) to n (output)
activation = "{Network.activation}"           # {", ".join(ACTIVATIONS)}; or a list
                              # of one a layer; or your own, "mymodule:f", which --allow-code imports
tau = {Network.tau}                     # time constant of value and error nodes; 0: nodes always at rest;
                              # or a list of one for each of the layers 0..n
# tau_eps = 0.1               # that of the error nodes, where it is another; 0: errors slaved to the values
delta = {Network.delta}                 # time constant of the weights; or a list of one for each link
nu = {Network.nu}                      # variance of the layers; or one value for each of the layers 1..n
feedback = "{Network.feedback}"          # learned (W has its own equation), tied (W = M^T) or fixed
# bias = true                 # whether predictions have biases
# mask = {{ density = 0.3, seed = 0 }}  # sparse: every node gets this part of its inputs; or a list with
                              # one number a link; or {{ file = "m.npz" }}, arrays mask0, ... of 0 and 1
# weight_decay = {Network.weight_decay}          # decay of M, W and the biases
# node_decay = {Network.node_decay}            # decay of the value nodes
# temperature = {Network.temperature}           # of noise on value nodes; or a list of one a layer 0..n
# time_unit = "ms"            # what all times are in; or give each with a unit: tau = "10 ms", delta = "5 s"

[weights]                     # to start from
init = "normal"               # normal, uniform, zeros; "given" (M = [...]); or "file" (file = "w.npz", with
                              # arrays M0 of shape (n_0, n_1), M1, ..., and W0 (n_1, n_0), ..., beta1 (n_1,),
                              # ... unless W starts at the transpose of M, beta at 0)
scale = 1.0                   # spread, over the square root of the fan-in
seed = 0
# W = "transpose"             # W starts as M^T; or "independent", drawn on its own

[data]                        # or name = {_NAMES}; or file = "samples.csv" (with a header
                              # input0, input1, target0, or inputs = ["age", "dose"], targets = ["response"])
                              # or "samples.npz" (with arrays inputs and targets)
inputs = [[-1.0, -1.0], [-1.0, 1.0], [1.0, -1.0], [1.0, 1.0]]
targets = [[-0.5], [-0.5], [-0.5], [0.5]]
# train = 3                   # how many samples to draw to train on, and
# test = 1                    # how many to test on; all are for training where neither is said
# seed = 0
# standardise = true          # inputs of mean 0 and standard deviation 1, by the training samples
                              # For classes, one output each: one_hot = true where targets are labels in a
                              # single column, class_names = ["no", "yes"], and levels = [0.03, 0.97] in
                              # place of 0 and 1
# image_shape = [1, 2]        # rows and columns of the images that the inputs are, for figures

# [start]
# nodes = "feedforward"       # where the nodes start: feedforward, zero or equilibrium

[[phase]]                     # the phases follow one another
name = "train"
clamp = "both"                # layers held at the data: both, input, output or none; or a table from
                              # layer to what: {{ 0 = "input", 1 = [[0.5, nan, ...], ...] }}, nan: free; or
                              # what moves with the phase's time t: {{ 0 = ["sin(2*pi*t/50)", 0.5] }} or
                              # {{ 0 = {{ t = [0.0, 9.0], values = [[[0.0]], [[1.0]]], kind = "cubic" }} }}:
                              # for each time one row a sample, one value a node
data = "train"                # train, test or all
learn = true                  # whether the weights move; or the names of those that do: ["M1", "beta2"]
duration = 1000.0             # in the unit of tau; or "2 s"
#   In place of duration, samples or mini-batches in turn:
#   presentation = {{ size = 1, hold = 20.0, passes = 3, order = "shuffled", ramp = 0.5, nodes = "carry" }}
#   each held for a time, or until "equilibrium" with a limit; order: given or shuffled (with a seed);
#   nodes at a switch: carry, feedforward, zero or equilibrium
# nodes = "feedforward"       # where the nodes of this phase start; samples shown before go on otherwise

[[phase]]
name = "test"
clamp = "input"
learn = false
until = "equilibrium"         # ends when all rates are at most settle_tol, or after duration
duration = 500.0
# settle_tol = 1e-6
# predictions = "free"        # or "fixed" at the forward pass of the present weights: then errors at rest are
                              # backpropagation's

[solver]
method = "auto"               # chosen for each phase; `pcode list` names the others
rtol = 1e-6
atol = 1e-9
# max_steps = {Settings.max_steps}
#                             # with noise, step = 0.1: steps of this length, not adaptive ones
# seed = 0                    # of the noise

[save]
nodes = 400                   # saved times a phase
weights = 100
# spacing = "log"             # log-spaced after each phase's start, or linear
# presentations = 20          # of a phase with a presentation, how many keep their nodes; or a list of them
# presentation_nodes = "ends" # at the ends of these, or "full": at as many times as nodes says
# memory_gb = 4.0             # a larger result is refused

# [probes]                    # what to look at on the way, by names of your own; learning_curves draws it
# test_loss = "loss"          # when phases and passes end; or every so many deltas, or presentations:
                              # {{ what = "accuracy", data = "test", deltas = 1.0 }}; what may be
                              # {", ".join(list(MEASURES)[:6])},
                              # {", ".join(list(MEASURES)[6:])}, or "mymodule:f"

[plots]
recipes = ["overview"]        # `pcode list` names the others; or paths of your own
# formats = ["png"]           # png, svg, pdf

[analysis]
questions = []                # answered in the report; `pcode list` names the others

# [sweep]                     # the points of `pcode sweep`, each a single run: all combinations of the axes
# over = ["network.delta=1e1:1e4:4:log", "weights.seed=0:4"]   # or the option --over; a:b whole numbers,
                              # a:b:n and a:b:n:log n values, both ends included, a list parted by ;
# keep_runs = false           # whether to keep run.nc of each point
"""
