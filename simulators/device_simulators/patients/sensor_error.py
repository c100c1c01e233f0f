"""What a continuous glucose sensor makes of interstitial glucose: an error that wanders.

M. Breton, B. Kovatchev, "Analysis, modeling, and simulation of the accuracy of continuous glucose sensors",
J. Diabetes Sci. Technol. 2(5), 2008: a first-order autoregressive process in steps of 15 minutes (partial
autocorrelation 0.7), given the distribution of real errors by a Johnson SU transform. The lag behind plasma, which
A. Facchinetti et al., "Modeling the glucose sensor error", IEEE Trans. Biomed. Eng. 61(3), 2014, take apart from the
error, is that of `physiology`; drift within a session, which they find as well, is left out.
"""

import random
from datetime import datetime
from math import sinh

LOWEST_MG_DL, HIGHEST_MG_DL = 40.0, 400.0  # what sensors show
_STEP_MIN = 15
_PACF = 0.7
_GAMMA, _LAMBDA, _DELTA, _XI = -0.5444, 15.9574, 1.6898, -5.47  # mg/dL where they have a unit


class SensorError:
    """The error of one sensor. Asked for the same times in the same order, it answers the same."""

    def __init__(self, seed: str) -> None:
        self._chance = random.Random(f"sensor {seed}")
        self._state = self._chance.gauss(0, 1)
        self._began: datetime | None = None
        self._last, self._next = self._johnson(), self._johnson()
        self._step = 0

    def shown(self, at: datetime, interstitial_mg_dl: float) -> float:
        """What the sensor shows at `at`, not before an earlier call's; between two steps the error goes straight."""
        if self._began is None:
            self._began = at
        step, within = divmod((at - self._began).total_seconds() / 60, _STEP_MIN)
        while self._step < step:
            self._step += 1
            self._state = _PACF * (self._state + self._chance.gauss(0, 1))
            self._last, self._next = self._next, self._johnson()
        error = self._last + (self._next - self._last) * within / _STEP_MIN
        return min(max(interstitial_mg_dl + error, LOWEST_MG_DL), HIGHEST_MG_DL)

    def _johnson(self) -> float:
        return _XI + _LAMBDA * sinh((self._state - _GAMMA) / _DELTA)
