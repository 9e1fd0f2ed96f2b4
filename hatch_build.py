"""Puts scenarios, figure recipes, pages and studies into the wheel, under pcode/_shipped; no pictures."""

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

SHIPPED = ("scenarios/*.toml", "plots/*.py", "docs/*.md", "docs/studies/*.py")


class ShippedContent(BuildHookInterface):
    """Ships the files of `SHIPPED`; an editable install finds them in the checkout."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Add the files to what is built; `version` is "standard" or "editable"."""
        if version == "editable":
            return
        root = Path(self.root)
        for file in (file for pattern in SHIPPED for file in root.glob(pattern)):
            build_data["force_include"][str(file)] = f"pcode/_shipped/{file.relative_to(root)}"
