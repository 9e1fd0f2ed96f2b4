"""What one method took for one case."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Measurement:
    """What one method took for one case.

    Attributes
    ----------
    case, method : str
    rtol : float
    status : str
        ``ok``, ``timeout``, ``refused``, ``failed`` or ``absent``.
    reason : str
        Why there are no seconds.
    seconds : float or None
        Without compilation; the median of three where it is short.
    steps, rejected : int or None
    peak_mb : float or None
        Most memory that the process held, compilation included, in units of 1e6 bytes.
    accuracy : float or None
        Share of the images held back that are classified rightly.
    picked : str
        What ``auto`` has picked.
    error : float or None
        Largest difference from the reference, over 1 + the reference's largest value, of any variable.
    reference : str
        The reference.
    """

    case: str
    method: str
    rtol: float
    status: str
    reason: str = ""
    seconds: float | None = None
    steps: int | None = None
    rejected: int | None = None
    peak_mb: float | None = None
    accuracy: float | None = None
    picked: str = ""
    error: float | None = None
    reference: str = ""

    @property
    def ok(self) -> bool:
        """Whether the case was solved."""
        return self.status == "ok"
