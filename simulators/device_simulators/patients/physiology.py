"""Glucose and insulin in type 1 diabetes: the equations of the UVA/Padova simulator, in steps of one minute.

Equations: C. Dalla Man, R. A. Rizza, C. Cobelli, "Meal simulation model of the glucose-insulin system", IEEE Trans.
Biomed. Eng. 54(10), 2007; C. Dalla Man, D. M. Raimondo, R. A. Rizza, C. Cobelli, "GIM, simulation software of meal
glucose-insulin model", J. Diabetes Sci. Technol. 1(3), 2007; C. Dalla Man et al., "The UVA/PADOVA type 1 diabetes
simulator: new features", J. Diabetes Sci. Technol. 8(1), 2014. The choice of the 2008 form, the order of the 13
compartments and the parameters are those of simglucose (Jinyu Xie, 2018, MIT), with which this port agrees within
1 mg/dL.
"""

from collections.abc import Sequence
from math import tanh

from device_simulators.patients.virtual_patient import VirtualPatient

State = Sequence[float]  # of 13 compartments, see `_slopes`

EATING_G_PER_MIN = 5.0  # carbohydrate; a meal of 60 g takes 12 minutes
_PMOL_PER_U = 6000.0
_MG_PER_G = 1000.0


class Physiology:
    """The body of one patient, at first fasting and steady under basal insulin."""

    def __init__(self, patient: VirtualPatient) -> None:
        self._patient = patient
        self._state: State = patient.state
        self._to_eat_g = 0.0
        self._meal_mg = 0.0  # D of the papers: what the stomach held when the meal began, and what was eaten since
        self._eating = False

    @property
    def plasma_mg_dl(self) -> float:
        """Glucose in plasma: what a finger prick finds."""
        return max(self._state[3], 0.0) / self._patient.Vg

    @property
    def interstitial_mg_dl(self) -> float:
        """Glucose under the skin: what a sensor is bathed in, some ten minutes behind plasma."""
        return max(self._state[12], 0.0) / self._patient.Vg

    @property
    def carbohydrate_to_come_g(self) -> float:
        """What lies in stomach and gut, or is still on the plate."""
        return self._to_eat_g + sum(self._state[:3]) / _MG_PER_G

    def eat(self, carbohydrate_g: float) -> None:
        """Puts so much on the plate; it is eaten at `EATING_G_PER_MIN` from the next minute on."""
        self._to_eat_g += carbohydrate_g

    def minute(self, insulin_u: float) -> None:
        """One minute passes, with so much insulin given under the skin in it, basal included."""
        bite_g = min(self._to_eat_g, EATING_G_PER_MIN)
        self._to_eat_g -= bite_g
        if bite_g and not self._eating:
            self._meal_mg = self._state[0] + self._state[1]
        self._eating = bite_g > 0
        self._meal_mg += bite_g * _MG_PER_G
        carbohydrate_mg = bite_g * _MG_PER_G
        insulin = insulin_u * _PMOL_PER_U / self._patient.BW
        # The midpoint method: over a meal of 60 g within 0.6 mg/dL of Runge-Kutta of fourth order, at half the work.
        p, x, meal = self._patient, self._state, self._meal_mg
        slopes = _slopes(p, x, carbohydrate_mg, insulin, meal)
        middle = [value + slope / 2 for value, slope in zip(x, slopes, strict=True)]
        slopes = _slopes(p, middle, carbohydrate_mg, insulin, meal)
        self._state = [value + slope for value, slope in zip(x, slopes, strict=True)]


def _slopes(p: VirtualPatient, x: State, carbohydrate_mg: float, insulin: float, meal_mg: float) -> State:
    """What each compartment gains in a minute, from carbohydrate in mg/min and insulin in pmol/kg/min."""
    solid, liquid, gut, plasma, tissue, insulin_plasma, action, delayed, suppression, liver, sc1, sc2, skin = x
    emptying = _gastric_emptying(p, solid + liquid, meal_mg)
    appearance = p.f * p.kabs * gut / p.BW
    production = max(p.kp1 - p.kp2 * plasma - p.kp3 * suppression, 0.0)
    excretion = p.ke1 * (plasma - p.ke2) if plasma > p.ke2 else 0.0
    use = (p.Vm0 + p.Vmx * action) * tissue / (p.Km0 + tissue)
    concentration = insulin_plasma / p.Vi
    return (
        carbohydrate_mg - p.kmax * solid,
        p.kmax * solid - emptying * liquid,
        emptying * liquid - p.kabs * gut,
        production + appearance - p.Fsnc - excretion - p.k1 * plasma + p.k2 * tissue if plasma >= 0 else 0.0,
        p.k1 * plasma - p.k2 * tissue - use if tissue >= 0 else 0.0,
        p.m1 * liver + p.ka1 * sc1 + p.ka2 * sc2 - (p.m2 + p.m4) * insulin_plasma,
        p.p2u * (concentration - p.Ib - action),
        p.ki * (concentration - delayed),
        p.ki * (delayed - suppression),
        p.m2 * insulin_plasma - (p.m1 + p.m30) * liver,
        insulin - (p.ka1 + p.kd) * sc1,
        p.kd * sc1 - p.ka2 * sc2,
        p.ksc * (plasma - skin),
    )


def _gastric_emptying(p: VirtualPatient, stomach_mg: float, meal_mg: float) -> float:
    """Rate per minute: fast while the stomach is full or nearly empty, slow between."""
    if meal_mg <= 0:
        return p.kmax
    full = 2.5 / (meal_mg * (1 - p.b)) * (stomach_mg - p.b * meal_mg)
    empty = 2.5 / (meal_mg * p.d) * (stomach_mg - p.d * meal_mg)
    return p.kmin + (p.kmax - p.kmin) / 2 * (tanh(full) - tanh(empty) + 2)
