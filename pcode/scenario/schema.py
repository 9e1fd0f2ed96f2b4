"""The scenario file's tables and keys, typed; the JSON Schema for editors comes from here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field, Tag

from ..model.data_sets import DATA
from ..solvers.settings import Settings
from .forms import NotNegative, Number, Positive, Rows, Table, either, kind_of, time
from .network_table import NetworkTable
from .probes_table import ProbesTable

if TYPE_CHECKING:
    DataName = str
    Time = float | str
    Duration = float | str
else:
    DataName = Literal[*DATA]
    Time, Duration = time(Number), time(Positive)


class WeightsTable(Table):
    """The weights that the run starts with."""

    init: Literal["normal", "uniform", "zeros", "file", "given"] = "normal"
    """How M starts: drawn (beta = 0), all zero, read from a file, or given here."""
    scale: NotNegative = 1.0
    """Spread of drawn weights: std (normal) or bound (uniform) is scale / sqrt(fan-in)."""
    seed: int = Field(default=0, ge=0)
    """Seed of the random numbers."""
    W: (
        Annotated[
            Annotated[Literal["transpose", "independent"], Tag("text")] | Annotated[list[Rows], Tag("list")],
            either('"transpose", "independent", or with init = "given" a list of one matrix a link'),
        ]
        | None
    ) = None
    """Start of W: "transpose" (of M), "independent" (drawn), or, with init = "given", one matrix
    for each of the links 0..n-1 with the shape (n_{l+1}, n_l). Left out, it is what the file
    holds, or the transpose of M."""
    file: str | None = None
    """With init = "file": an .npz file with the arrays M0, M1, ... of shapes (n_l, n_{l+1}), W0, W1, ... of
    shapes (n_{l+1}, n_l), and beta1, beta2, ... of shapes (n_l,). W and beta may be left out: W is then the
    transpose of M, or as said by W, and beta is 0."""
    M: list[Rows] | None = None
    """With init = "given": one matrix for each of the links 0..n-1, of the shape (n_l, n_{l+1})."""
    beta: list[list[float]] | None = None
    """With init = "given": one row for each of the layers 1..n; 0 where left out."""


def _rows_or_names(value: Any) -> str:
    """As `kind_of`, with a list of names told from rows of numbers."""
    names = isinstance(value, list) and any(isinstance(entry, str) for entry in value)
    return "list" if names else "rows" if isinstance(value, list) else kind_of(value)


RowsOrNames = Annotated[
    Annotated[Rows, Tag("rows")] | Annotated[list[str], Tag("list")],
    either("rows of numbers, or with a file a list of names of its columns", _rows_or_names),
]


class DataTable(Table):
    """The samples to show: of one source, by name, from a file, or given here."""

    name: DataName | None = None
    """A data set by name."""
    file: str | None = None
    """An .npz file (arrays inputs and targets, one row a sample) or a .csv file (a header with
    columns input0, input1, ..., target0, ...); or other columns or arrays, which inputs and targets
    name."""
    inputs: RowsOrNames | None = None
    """One row a sample, one value for each node of the input layer; or with a file the names of its
    columns for them."""
    targets: RowsOrNames | None = None
    """One row a sample, one value for each node of the output layer; or with a file the names of its
    columns for them."""
    train: int | None = Field(default=None, ge=0)
    """How many samples to draw to train on; left out, all that are not to test on."""
    test: int | None = Field(default=None, ge=0)
    """How many samples to draw to test on; left out, none."""
    seed: int = Field(default=0, ge=0)
    """Seed of the draw."""
    one_hot: bool = False
    """Whether the targets, a single column of labels of classes, are to be made one-hot, one output a class:
    whole numbers or, in a .csv file, texts."""
    class_names: list[str] | None = None
    """Names of the classes, in the order of the outputs; known of data sets by name."""
    levels: list[Number] | None = None
    """What the 0 and the 1 of one-hot targets become, such as [0.03, 0.97] for logistic outputs."""
    standardise: bool = False
    """Whether the inputs are to have mean 0 and standard deviation 1 in each column of the training samples;
    the test samples are treated with the same numbers, and columns that are constant become 0."""
    options: dict[str, Any] | None = None
    """Options of a data set by name: two_moons has samples, noise and seed."""
    image_shape: list[int] | None = None
    """Rows and columns of the images that the input layer shows, such as [8, 8], its nodes row by row:
    figures then draw it as an image; known of data sets by name."""


class StartTable(Table):
    """The state that the run starts in."""

    nodes: Literal["feedforward", "zero", "equilibrium"] = "feedforward"
    """Value nodes at the feedforward pass with error nodes at 0; all at 0; or all at rest."""


class SeriesTable(Table):
    """Values that change in the course of a phase, by lines or splines between the given times."""

    t: list[Time] | None = None
    """Times, from the phase's start, such as 5 or "5 ms"; a time given twice is a step."""
    values: list[Rows] | None = None
    """For each time one row a sample, one value a node; nan leaves a node free."""
    file: str | None = None
    """In place of t and values: a .csv file with a column t, or "t (ms)", and one for each node, the same
    for all samples; or an .npz file with arrays t and values."""
    time_unit: str | None = None
    """Unit of the times, where they are given without one; else that of the network."""
    kind: Literal["linear", "cubic"] = "linear"
    """Between the times: straight lines, or a cubic spline from one step to the next."""


def _clamp_kind(value: Any) -> str:
    """As `kind_of`, with a list of lists told from one with an entry for each node."""
    rows = isinstance(value, list) and (not value or any(isinstance(entry, list) for entry in value))
    return "rows" if rows else kind_of(value)


def _flag_kind(value: Any) -> str:
    """As `kind_of`, for what may be true or false."""
    return "flag" if isinstance(value, bool) else kind_of(value)


Entry = Annotated[Annotated[str, Tag("text")] | Annotated[float, Tag("number")], either("a text or a number")]
ClampValue = Annotated[
    Annotated[str, Tag("text")]
    | Annotated[list[Entry], Tag("list")]
    | Annotated[Rows, Tag("rows")]
    | Annotated[SeriesTable, Tag("table")],
    either(
        '"input", "output", an expression such as "sin(2*pi*t/50)", a list with one expression or number a '
        "node, rows of numbers, or { t = [...], values = [...] }",
        _clamp_kind,
    ),
]
ClampTable = dict[Annotated[str, Field(pattern=r"^(0|[1-9]\d*)$")], ClampValue]


class PresentationTable(Table):
    """How a phase shows its samples one after another."""

    size: int = Field(default=1, ge=1)
    """Samples shown at a time; the last of a pass are fewer where it does not divide their number."""
    hold: Duration
    """How long each is shown, in the unit of tau, or with a unit such as "20 ms"; or "equilibrium": until all
    rates have fallen to the phase's settle_tol, or limit has passed."""
    limit: Duration | None = None
    """With hold = "equilibrium", the longest time for each."""
    passes: int = Field(default=1, ge=1)
    """How often all samples are shown."""
    order: Literal["given", "shuffled"] = "given"
    """The order of the samples: as they are, or drawn anew for each pass."""
    seed: int = Field(default=0, ge=0)
    """Seed of the draws."""
    ramp: Time = 0.0
    """Part of hold in which clamped values go linearly from the samples before to the new ones."""
    nodes: Literal["carry", "feedforward", "zero", "equilibrium"] = "carry"
    """Where nodes start at each switch: they go on from where they were, or start anew."""


class PhaseTable(Table):
    """One stretch of the run under one set of clamps."""

    name: str | None = Field(default=None, min_length=1)
    """What to call it in results and figures."""
    clamp: Annotated[
        Annotated[Literal["both", "input", "output", "none"], Tag("text")]
        | Annotated[ClampTable, Tag("table")],
        either('"both", "input", "output", "none", or a table such as { 0 = "input", 1 = [[0.5, nan]] }'),
    ] = "none"
    """Which layers are held: "input" (layer 0 at the data's inputs), "output" (layer n at its
    targets), "both", "none"; or a table from layer to "input" or "output" (of the data), to rows
    of values (nan leaves a node free), to a time series { t = [...], values = [...] }, or to an expression
    in the phase's own time t, the same for all samples, such as "sin(2*pi*t/50)"; or a list with one
    expression or number a node. An expression has numbers, t, pi, e, + - * / **, parentheses, and sin,
    cos, tan, tanh, exp, log, sqrt, abs, step(v) (0 below 0, else 1), minimum(a, b), maximum(a, b)."""
    data: Literal["train", "test", "all"] | None = None
    """Which samples of the data it shows: "train" where left out."""
    learn: Annotated[
        Annotated[bool, Tag("flag")] | Annotated[list[str], Field(min_length=1), Tag("list")],
        either('true or false, or a list of names such as ["M1", "beta2"]', _flag_kind),
    ] = True
    """Whether the weights move; or the names of those that do, such as ["M1", "beta2"]: M0.., W0.. (with
    learned feedback), beta1.."""
    duration: Duration | None = None
    """How long it lasts, in the unit of tau, or with a unit such as "5 s"; with until the longest it may
    last. Left out where there is a presentation, which says it."""
    presentation: PresentationTable | None = None
    """Show the samples one after another, instead of all at once."""
    nodes: Literal["feedforward", "zero", "equilibrium"] | None = None
    """Where the nodes of all samples start; left out, samples of the phase before go on from where they were,
    and others start as [start] says."""
    until: Literal["equilibrium"] | None = None
    """End the phase once all rates have fallen to settle_tol."""
    settle_tol: Positive = 1e-6
    """Rate at which nodes and weights count as settled, max |tau dz/dt| / (1 + |z|)."""
    predictions: Literal["free", "fixed"] = "free"
    """Those of the present values, or "fixed" at the forward pass of the present weights, which needs all of
    layer 0 clamped: errors at rest are then backpropagation's."""


class SolverTable(Table):
    """How the equations are integrated."""

    method: str = "auto"
    """The solver, by name; auto chooses one for each phase."""
    rtol: Positive = Settings.rtol
    """Relative tolerance of a step, from 2.2e-14 to 1e-2."""
    atol: Positive = Settings.atol
    """Absolute tolerance of a step, at most 1e-2."""
    max_steps: int = Field(default=Settings.max_steps, ge=1)
    """Most steps of a phase, or of each of its presentations."""
    step: Duration | None = None
    """Length of the steps of methods for noise, in the unit of tau, or with a unit; left out, they are
    adaptive."""
    seed: int = Field(default=0, ge=0)
    """Seed of the noise."""


class SaveTable(Table):
    """Which times to keep."""

    nodes: int = Field(default=400, ge=2)
    """Saved times a phase of value and error nodes, both ends included."""
    weights: int = Field(default=100, ge=2)
    """Likewise of the weights; a phase that does not learn saves them at its two ends."""
    spacing: Literal["log", "linear"] = "log"
    """Log-spaced from 1e-2 tau (with tau = 0, 1e-3 delta) after a phase's start, or evenly spaced."""
    presentations: Annotated[
        Annotated[int, Tag("number"), Field(ge=1)] | Annotated[list[int], Tag("list")],
        either("a whole number, or a list of numbers of presentations"),
    ] = 20
    """How many presentations of a phase keep their nodes, the first and the last included; or a list of
    them, counted from 0."""
    presentation_nodes: Literal["ends", "full"] = "ends"
    """At which times these keep them: at their ends, or at as many times as nodes says."""
    memory_gb: Positive = 4.0
    """A result larger than this many GB is refused before the run."""


class PlotsTable(Table):
    """The figures to draw after the run."""

    recipes: list[str] = Field(default=["overview"])
    """Recipes: shipped names, or paths of .py files relative to the scenario."""
    formats: list[Literal["png", "svg", "pdf"]] = Field(default=["png"], min_length=1)
    """Kinds of files to write of each figure."""


class AnalysisTable(Table):
    """The questions to answer after the run."""

    questions: list[str] = Field(default=[])
    """Questions by name, as for pcode analyse; the answers stand in report.json."""


class SweepFigureTable(Table):
    """A figure of a sweep."""

    recipe: str
    """A recipe that draws sweeps: a shipped name, or the path of a .py file relative to the scenario."""
    name: str | None = Field(default=None, pattern=r"^[\w-]+$")
    """What to call its file; as the recipe where left out."""
    options: dict[str, Any] = Field(default={})
    """Options of the recipe by name, as for pcode plot --set."""


class SweepTable(Table):
    """What pcode sweep changes from point to point."""

    over: list[str] = Field(min_length=1)
    """The axes, as for pcode sweep --over: such as "network.delta=1e1:1e6:11:log", "weights.seed=0:9", or
    "network.sizes=[2,8,1];[2,8,8,1]"; keys parted by ,, change together."""
    keep_runs: bool = False
    """Whether to keep the run of each point."""
    figure: list[SweepFigureTable] = Field(default=[])
    """The figures to draw after the sweep."""


class ScenarioFile(Table):
    """A scenario: a network, what is shown to it, and what to keep of the run."""

    title: str = ""
    """One line that says what it shows."""
    network: NetworkTable
    """The network, without its weights and data."""
    weights: WeightsTable = Field(default_factory=WeightsTable)
    """The weights that the run starts with."""
    data: DataTable | None = None
    """The samples to show; a scenario that clamps none of them needs none."""
    start: StartTable = Field(default_factory=StartTable)
    """The state that the run starts in."""
    phase: list[PhaseTable] = Field(min_length=1)
    """The phases of the run, in turn."""
    solver: SolverTable = Field(default_factory=SolverTable)
    """How the equations are integrated."""
    save: SaveTable = Field(default_factory=SaveTable)
    """Which times to keep."""
    probes: ProbesTable = Field(default={})
    """What to look at in the course of the run, by a name of your own: a word, such as "loss", or a table.
    Each is a variable of this name in run.nc."""
    plots: PlotsTable = Field(default_factory=PlotsTable)
    """The figures to draw after the run."""
    analysis: AnalysisTable = Field(default_factory=AnalysisTable)
    """The questions to answer after the run."""
    sweep: SweepTable | None = None
    """The points at which pcode sweep runs this scenario."""


def json_schema() -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of scenario files, with the names that this version knows."""
    from ..analysis import QUESTIONS
    from ..model.activations import ACTIVATIONS
    from ..simulation.measures import MEASURES
    from ..solvers import METHODS

    schema: dict[str, Any] = _tidy(ScenarioFile.model_json_schema())
    for name, entry in schema["properties"].items():
        # pydantic leaves it out where the table itself is described in the same words.
        entry.setdefault("description", ScenarioFile.model_fields[name].description)
    tables = schema["$defs"]
    for form in tables["NetworkTable"]["properties"]["activation"]["oneOf"]:
        names = form["items"] if form["type"] == "array" else form
        # Or a function of one's own, module:name, which --allow-code allows.
        names["anyOf"] = [{"enum": list(ACTIVATIONS)}, {"pattern": r"^[\w.]+:[\w.]+$"}]
    words = {"anyOf": [{"enum": list(MEASURES)}, {"pattern": r"^[\w.]+:[\w.]+$"}]}
    tables["ProbeTable"]["properties"]["what"] |= words
    forms = schema["properties"]["probes"]["additionalProperties"]["oneOf"]
    (short,) = (one for one in forms if "type" in one)
    short |= words
    tables["SolverTable"]["properties"]["method"]["enum"] = list(METHODS)
    tables["AnalysisTable"]["properties"]["questions"]["items"]["enum"] = list(QUESTIONS)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "pcode scenario"} | schema


def _tidy(node: Any) -> Any:
    """Take out what a TOML file cannot hold (null) and what tells an editor nothing (titles)."""
    if isinstance(node, list):
        return [_tidy(item) for item in node]
    if not isinstance(node, dict):
        return node
    tidy: dict[str, Any] = {}
    for key, value in node.items():
        if key == "anyOf" and {"type": "null"} in value:
            tidy |= _tidy(next(form for form in value if form != {"type": "null"}))
        elif key == "patternProperties":
            tidy |= {key: _tidy(value), "additionalProperties": False}
        elif key == "description" and isinstance(value, str):
            tidy[key] = " ".join(value.split())
        elif not (key == "title" and isinstance(value, str)) and not (key == "default" and value is None):
            tidy[key] = _tidy(value)
    return tidy
