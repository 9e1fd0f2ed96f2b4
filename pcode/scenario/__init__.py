"""Scenario files: what to simulate, as a text that a user copies and edits.

From the file to a typed description, and to what `simulate` takes. It imports `analysis` and what is below.
"""

from __future__ import annotations

from .core import Scenario
from .judging import probes
from .report import report
from .schema import json_schema
from .text import parse_change, title

__all__ = ["Scenario", "json_schema", "parse_change", "probes", "report", "title"]
