"""Puts scenarios, figure recipes and pages of docs into the wheel, under pcode/_shipped; no gallery."""

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class ShippedContent(BuildHookInterface):
    """Ships scenarios/*.toml, plots/*.py and docs/*.md; an editable install finds them in the checkout."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Add the files to what is built; `version` is "standard" or "editable"."""
        if version == "editable":
            return
        root = Path(self.root)
        for file in (*root.glob("scenarios/*.toml"), *root.glob("plots/*.py"), *root.glob("docs/*.md")):
            build_data["force_include"][str(file)] = f"pcode/_shipped/{file.relative_to(root)}"
