"""What an app makes of a month of Observations: for each measure the latest ones, and how it went."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal

from device_simulators.apps.measures import Measure
from device_simulators.apps.observations import Observation, Value

LISTED = 8  # of each measure, in the table: what fits beside a conversation


@dataclass(frozen=True)
class Summary:
    """`observations` newest first; `shared`: whether the patient granted this measure at all."""

    measure: Measure
    shared: bool
    observations: tuple[Observation, ...]

    @property
    def latest(self) -> Observation | None:
        return self.observations[0] if self.observations else None

    @property
    def listed(self) -> tuple[Observation, ...]:
        return self.observations[:LISTED]

    @property
    def means(self) -> tuple[Value, ...]:
        """Mean of each value, with the digits of the latest one. Empty for a slow measure, or fewer than two."""
        if self.latest is None or self.measure.slow or len(self.observations) < 2:
            return ()
        return tuple(self._mean(value) for value in self.latest.values)

    @property
    def change(self) -> Decimal | None:
        """Latest minus oldest value of a slow measure; None with fewer than two observations."""
        if not self.measure.slow or len(self.observations) < 2:
            return None
        return self.observations[0].values[0].number - self.observations[-1].values[0].number

    def _mean(self, value: Value) -> Value:
        numbers = [other.number for seen in self.observations for other in seen.values if other.code == value.code]
        mean = sum(numbers, Decimal(0)) / len(numbers)
        return Value(mean.quantize(value.number, ROUND_HALF_UP), value.unit, value.code)


def summaries(measures: Sequence[Measure], shared: Sequence[Measure], found: Sequence[Observation]) -> list[Summary]:
    """One summary for each of `measures`, also for what is not shared: the page says so."""
    return [
        Summary(measure, measure in shared, tuple(seen for seen in found if seen.measure == measure))
        for measure in measures
    ]
