"""The energy of the whole network against time, in units of tau."""

from matplotlib.figure import Figure

from pcode import Run, plotting


def figure(run: Run, log_y: bool = True) -> Figure:
    """Draw the sum of the layers' energies.

    Parameters
    ----------
    run : Run
    log_y : bool
        Whether the energy has a logarithmic axis.
    """
    with plotting.style():
        fig = Figure(figsize=(5.0, 3.0), layout="constrained")
        ax = fig.subplots()
        ax.plot(run.data["time"] / run.network.tau, run.data["energy"].sum("layer"))
        ax.set_yscale("log" if log_y else "linear")
        ax.set_xlabel(r"$t/\tau$")
        ax.set_ylabel("energy $F$")
    return fig
