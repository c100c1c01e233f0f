"""The modal day: bands between percentiles and their median, from midnight to midnight."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

from device_gateway.portal.charts.axes import Scale, nice_ticks
from device_gateway.portal.charts.curve import BOTTOM, SHAPES, TOP, Shape, target_lines
from device_gateway.portal.words import Words
from device_gateway.readings.summaries import TimeOfDay

DAY_MIN = 24 * 60


@dataclass(frozen=True)
class Band:
    """`minutes` is the length of a slot. Where a slot is missing the bands are interrupted."""

    id: str
    title: str
    description: str
    unit: str
    slots: Sequence[TimeOfDay]
    minutes: int
    target: tuple[float, float]


def draw_band(band: Band, words: Words) -> Markup:
    """The chart twice, for wide and for narrow screens; the style sheet shows one of them."""
    return Markup("").join(_draw(band, words, shape) for shape in SHAPES)


def _draw(band: Band, words: Words, shape: Shape) -> Markup:
    bounds = [*band.target, *(number for slot in band.slots for number in (slot.p5, slot.p95))]
    ticks = nice_ticks(min(bounds), max(bounds), shape.value_labels)
    x = Scale(0, DAY_MIN, shape.left, shape.width - shape.right)
    y = Scale(ticks[0], ticks[-1], shape.height - BOTTOM, TOP)
    name = f"{band.id}-{shape.name}"
    parts = [
        f'<svg class="chart {shape.name}" role="img" aria-labelledby="{name}-title {name}-text"',
        f' viewBox="0 0 {shape.width} {shape.height}"><title id="{name}-title">{escape(band.title)}</title>',
        f'<desc id="{name}-text">{escape(band.description)}</desc>',
        target_lines(band.target, x, y),
    ]
    for tick in ticks:
        line = f'x1="{x.start}" x2="{x.end}" y1="{y(tick)}" y2="{y(tick)}"'
        label = f'<text x="{x.start - 8}" y="{y(tick) + 4}" text-anchor="end">{escape(words.number(tick))}</text>'
        parts.append(f'<line class="grid-line" {line}/>{label}')
    parts.append(f'<text x="{x.start - 8}" y="{TOP - 14}" text-anchor="end">{escape(band.unit)}</text>')
    for hour in range(0, 25, 24 // shape.time_labels):
        label = escape(words.clock_of(hour * 60))
        parts.append(f'<text x="{x(hour * 60)}" y="{y.start + 21}" text-anchor="middle">{label}</text>')
    for run in _runs(band):
        outer = [(x(at), y(slot.p5), y(slot.p95)) for at, slot in run]
        inner = [(x(at), y(slot.p25), y(slot.p75)) for at, slot in run]
        parts += [_between(outer, "outer"), _between(inner, "inner")]
        places = " ".join(f"{x(at)},{y(slot.p50)}" for at, slot in run)
        parts.append(f'<path class="line" d="M{places}"/>')
    return Markup("".join(parts) + "</svg>")  # noqa: S704  # nosec B704  # texts were escaped, the rest is numbers


def _between(places: Sequence[tuple[float, float, float]], kind: str) -> str:
    """`places` are (x, lower y, upper y), from left to right."""
    there = [f"{x},{low}" for x, low, _ in places]
    back = [f"{x},{high}" for x, _, high in reversed(places)]
    return f'<polygon class="band {kind}" points="{" ".join([*there, *back])}"/>'


def _runs(band: Band) -> Iterator[list[tuple[float, TimeOfDay]]]:
    """Neighbouring slots, each at its middle; the first and last of the day reach to midnight."""
    run: list[tuple[float, TimeOfDay]] = []
    for slot in band.slots:
        if run and slot.minute - run[-1][1].minute > band.minutes:
            yield run
            run = []
        if slot.minute == 0:
            run.append((0, slot))
        run.append((slot.minute + band.minutes / 2, slot))
        if slot.minute + band.minutes >= DAY_MIN:
            run.append((DAY_MIN, slot))
    if run:
        yield run
