"""One measured figure, and how figures are shown and kept."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

RESULTS = Path(__file__).parent / "results.json"


@dataclass(frozen=True)
class Figure:
    """`ratio` is ours against the limit, as `how` says; None where the figure itself is the aim."""

    name: str
    ours: float
    limit: float | None
    ratio: float | None
    unit: str
    how: str


def write(figures: Sequence[Figure]) -> None:
    """Into results.json, the figures measured now beside those of other benchmarks measured before."""
    known = {row["name"]: row for row in json.loads(RESULTS.read_text("utf-8"))} if RESULTS.exists() else {}
    known |= {figure.name: asdict(figure) for figure in figures}
    RESULTS.write_text(json.dumps(list(known.values()), indent=2, ensure_ascii=False) + "\n", "utf-8")


def show(figures: Sequence[Figure]) -> None:
    table = Table("figure", "ours", "limit", "ratio", "unit", "how")
    for figure in figures:
        ratio = "" if figure.ratio is None else f"{figure.ratio:.2f}"
        limit = "" if figure.limit is None else f"{figure.limit:,.1f}"
        table.add_row(figure.name, f"{figure.ours:,.1f}", limit, ratio, figure.unit, figure.how)
    Console().print(table)
