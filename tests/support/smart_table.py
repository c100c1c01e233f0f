"""SMART App Launch 2.2: its requirements of servers, and the tests that show them.

``python tests/support/smart_table.py`` writes docs/smart.md from smart22.csv: id, page, requirement, tests or why not.
"""

import ast
import csv
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
TABLE = Path(__file__).with_name("smart22.csv")
PAGE = ROOT / "docs" / "smart.md"
HEAD = """# SMART App Launch 2.2: what is claimed, and the test that shows it
Written by `tests/support/smart_table.py`; a test holds it to the tests that there are. Numbers are those of the
requirements of `hl7.fhir.uv.smart-app-launch_2.2.0`; all that a server SHALL or SHALL NOT do are here.

Capability sets: **Patient Access for Standalone Apps** and **Patient Access for EHR Launch (i.e. from Portal)**, with
OpenID Connect where `DEVICE_GATEWAY_CATALOGUE_KEY` is set.

User-access Brands are at `/brands.json`: one brand and our endpoint. `DEVICE_GATEWAY_BRAND` names a TOML file that
describes it; what it leaves out comes from the public URL. Its entries: `name`, `website`, `aliases`, `categories`,
`logo`, `logo_license`, `brand_bundle`, `portal_name`, `portal_description`, `portal_url`, `portal_logo`,
`portal_logo_license`, `developer_url`, `endpoint_name`, and the tables `[[identifiers]]` (`system`, `value`; the first
one is the primary brand's) and `[[addresses]]` (`line`, `city`, `state`, `postalCode`, `country`).
"""


@dataclass(frozen=True)
class Requirement:
    """Either `tests`, each ``path::name``, or `not_claimed`, the reason."""

    id: int
    page: str
    text: str
    tests: tuple[str, ...]
    not_claimed: str


def requirements() -> list[Requirement]:
    with TABLE.open(encoding="utf-8", newline="") as file:
        return [
            Requirement(
                int(row["id"]), row["page"], row["requirement"], tuple(row["shown_by"].split()), row["not_claimed"]
            )
            for row in csv.DictReader(file)
        ]


def tests_of(path: str) -> set[str]:
    """Names of the test functions in a file of ours; none where the file is not there."""
    file = ROOT / path
    if not file.exists():
        return set()
    tree = ast.parse(file.read_text("utf-8"))
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}


def text() -> str:
    """docs/smart.md."""
    lines, page = [HEAD], ""
    for each in requirements():
        if each.page != page:
            page = each.page
            lines += [f"## {page}", "| id | requirement | shown by |", "|---|---|---|"]
        shown = (
            "<br>".join(f"`{test.removeprefix('tests/')}`" for test in each.tests) or f"not claimed: {each.not_claimed}"
        )
        lines.append(f"| {each.id} | {each.text} | {shown} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    PAGE.write_text(text(), "utf-8")
