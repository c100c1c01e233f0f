"""A curve over time, with an optional target range: the one kind of chart that the first pages need."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Literal

from markupsafe import Markup, escape

from device_gateway.portal.charts.axes import Scale, gaps, nice_ticks, time_ticks
from device_gateway.portal.words import Words

MAX_POINTS = 480  # points of a curve: more than the pixels of a phone, few enough for a small page
FEW_POINTS = 60  # up to here each reading has its dot


@dataclass(frozen=True)
class Point:
    """`value` in the unit of the chart; `text` as it is written beside the last point."""

    at: datetime
    value: float
    text: str = ""


@dataclass(frozen=True)
class Series:
    """dense: a sensor's curve. Otherwise single readings, each a dot, joined by a thin line."""

    name: str
    points: Sequence[Point]
    dense: bool = False


@dataclass(frozen=True)
class Curve:
    """target  (low, high) of the range to be shaded
    longest  a longer silence interrupts the line
    """

    id: str
    title: str
    description: str
    unit: str
    series: Sequence[Series]
    since: datetime
    until: datetime
    target: tuple[float, float] | None = None
    longest: timedelta = timedelta(days=7)
    decimals: int = 0


@dataclass(frozen=True)
class Shape:
    """A drawing for one width of screen; lengths in units of the drawing, labels at most."""

    name: Literal["wide", "narrow"]
    width: int
    height: int
    left: int
    right: int
    time_labels: int
    value_labels: int


SHAPES = (
    Shape("wide", 920, 300, left=50, right=64, time_labels=8, value_labels=5),
    Shape("narrow", 350, 250, left=46, right=46, time_labels=4, value_labels=5),
)
TOP, BOTTOM = 30, 34  # room for the unit above the axis, and for the times below


def draw(curve: Curve, words: Words) -> Markup:
    """The chart twice, for wide and for narrow screens; the style sheet shows one of them."""
    return Markup("").join(_draw(curve, words, shape) for shape in SHAPES)


def thinned(points: Sequence[Point], most: int = MAX_POINTS) -> list[Point]:
    """At most `most` points that keep every peak: of each stretch of time its lowest and its highest."""
    if len(points) <= most:
        return list(points)
    stretches = most // 2
    first, last = points[0].at, points[-1].at
    length = (last - first) / stretches or timedelta(seconds=1)
    by_stretch: dict[int, list[Point]] = {}
    for point in points:
        by_stretch.setdefault(min(int((point.at - first) / length), stretches - 1), []).append(point)
    kept = []
    for stretch in by_stretch.values():
        low, high = min(stretch, key=lambda p: p.value), max(stretch, key=lambda p: p.value)
        kept += [low] if low is high else sorted((low, high), key=lambda p: p.at)
    if kept[-1] is not points[-1]:
        kept.append(points[-1])  # the newest one is written beside the curve
    return kept


def _draw(curve: Curve, words: Words, shape: Shape) -> Markup:
    values = [point.value for series in curve.series for point in series.points]
    bounds = [*values, *(curve.target or ())]
    ticks = nice_ticks(min(bounds), max(bounds), shape.value_labels)
    x = Scale(curve.since.timestamp(), curve.until.timestamp(), shape.left, shape.width - shape.right)
    y = Scale(ticks[0], ticks[-1], shape.height - BOTTOM, TOP)
    name = f"{curve.id}-{shape.name}"
    parts = [
        f'<svg class="chart {shape.name}" role="img" aria-labelledby="{name}-title {name}-text"',
        f' viewBox="0 0 {shape.width} {shape.height}"><title id="{name}-title">{escape(curve.title)}</title>',
        f'<desc id="{name}-text">{escape(curve.description)}</desc>',
    ]
    if curve.target:
        parts.append(target_lines(curve.target, x, y))
    parts += [_value_tick(tick, curve, words, x, y) for tick in ticks]
    parts.append(f'<text x="{x.start - 8}" y="{TOP - 14}" text-anchor="end">{escape(curve.unit)}</text>')
    times = time_ticks(curve.since, curve.until, words, shape.time_labels)
    parts += [_time_tick(at, label, x, y) for at, label in times]
    for number, series in enumerate(curve.series):
        parts.append(f'<g class="{("first", "second")[number % 2]}">{_series(series, curve.longest, x, y)}</g>')
    parts.append(_last(curve.series, x, y))
    return Markup("".join(parts) + "</svg>")  # noqa: S704  # nosec B704  # texts were escaped, the rest is numbers


def target_lines(target: tuple[float, float], x: Scale, y: Scale) -> str:
    """The target range, shaded, with its edges."""
    low, high = y(target[0]), y(target[1])
    edges = "".join(
        f'<line class="target-edge" x1="{x.start}" x2="{x.end}" y1="{edge}" y2="{edge}"/>' for edge in (low, high)
    )
    width, height = x.end - x.start, round(low - high, 1)
    return f'<rect class="target" x="{x.start}" y="{high}" width="{width}" height="{height}"/>{edges}'


def _value_tick(tick: float, curve: Curve, words: Words, x: Scale, y: Scale) -> str:
    label = words.value(f"{tick:.{curve.decimals}f}") if round(tick, curve.decimals) == tick else words.number(tick)
    return (
        f'<line class="grid-line" x1="{x.start}" x2="{x.end}" y1="{y(tick)}" y2="{y(tick)}"/>'
        f'<text x="{x.start - 8}" y="{y(tick) + 4}" text-anchor="end">{escape(label)}</text>'
    )


def _time_tick(at: datetime, label: str, x: Scale, y: Scale) -> str:
    place = x(at.timestamp())
    return (
        f'<line class="axis" x1="{place}" x2="{place}" y1="{y.start}" y2="{y.start + 5}"/>'
        f'<text x="{place}" y="{y.start + 21}" text-anchor="middle">{escape(label)}</text>'
    )


def _series(series: Series, longest: timedelta, x: Scale, y: Scale) -> str:
    points = thinned(series.points)
    if not points:
        return ""
    cuts = [0, *gaps([point.at for point in points], longest), len(points)]
    paths = []
    for start, end in pairwise(cuts):
        if end - start > 1:
            places = " ".join(f"{x(point.at.timestamp())},{y(point.value)}" for point in points[start:end])
            paths.append(f'<path class="{"line" if series.dense else "thin"}" d="M{places}"/>')
    if not series.dense or len(points) == 1:
        size = 4 if len(points) <= FEW_POINTS else 2.5
        paths += [f'<circle class="dot" cx="{x(p.at.timestamp())}" cy="{y(p.value)}" r="{size}"/>' for p in points]
    return "".join(paths)


def _last(all_series: Sequence[Series], x: Scale, y: Scale) -> str:
    """The newest point of all, larger, with its value."""
    newest = max((series.points[-1] for series in all_series if series.points), key=lambda point: point.at)
    number = next(i for i, series in enumerate(all_series) if series.points and series.points[-1] is newest)
    place, height = x(newest.at.timestamp()), y(newest.value)
    dot = f'<g class="{("first", "second")[number % 2]}"><circle class="dot" cx="{place}" cy="{height}" r="5.5"/></g>'
    if place > x.end - 60 and place + 9 <= x.end + 40:
        return f'{dot}<text class="last-label" x="{place + 10}" y="{height + 5}">{escape(newest.text)}</text>'
    label = escape(newest.text)
    return f'{dot}<text class="last-label" x="{place}" y="{height - 12}" text-anchor="middle">{label}</text>'
