"""How one language says things: messages, numbers, times, lengths of time."""

from collections.abc import Mapping
from datetime import date, datetime, time, timedelta, tzinfo
from decimal import Decimal
from zoneinfo import ZoneInfo

from babel import Locale
from babel.dates import format_date, format_skeleton, format_time, format_timedelta
from babel.numbers import format_decimal, get_decimal_symbol, get_group_symbol

from device_gateway.accounts.account import Language
from device_gateway.metrics import METRICS
from device_gateway.portal.translations import marked as _
from device_gateway.portal.translations import translations

# English as Europe reads it: 24 hours, the day before the month.
LOCALES: Mapping[Language, Locale] = {"fr": Locale.parse("fr_FR"), "en": Locale.parse("en_GB")}
# How people write UCUM's codes. What is not here is written as it is: mg/dL, kg, cm, %.
UNIT_NAMES: Mapping[str, Mapping[Language, str]] = {
    "[lb_av]": {"fr": "lb", "en": "lb"},
    "[stone_av]": {"fr": "st", "en": "st"},
    "[in_i]": {"fr": "in", "en": "in"},
    "kg/m2": {"fr": "kg/m²", "en": "kg/m²"},
    "kcal/(24.h)": {"fr": "kcal par jour", "en": "kcal per day"},
    "kJ/(24.h)": {"fr": "kJ par jour", "en": "kJ per day"},
    "mm[Hg]": {"fr": "mmHg", "en": "mmHg"},
    "/min": {"fr": "par minute", "en": "per minute"},
    "Cel": {"fr": "°C", "en": "°C"},
    "[degF]": {"fr": "°F", "en": "°F"},
    "1/(24.h)": {"fr": "pas par jour", "en": "steps per day"},
    "1": {"fr": "sur 10", "en": "out of 10"},
}
# Names of models that are words, not a product's own name: they are said in the reader's language.
MODEL_NAMES = (
    _("Device Gateway edge"),
    _("Home hub"),
    _("Smart scale"),
    _("Blood pressure monitor"),
    _("Glucose meter"),
    _("Scale behind BLE Scale Sync"),
    _("Scale behind ESPHome"),
    _("OpenMQTTGateway or Theengs Gateway"),
    _("Sensor behind ESPHome"),
    _("Health device through Zigbee2MQTT"),
    _("Xiaomi Mi Scale through Tasmota"),
    _("Bluetooth glucose meter"),
    _("Bluetooth blood pressure cuff"),
    _("Bluetooth body composition scale"),
    _("Bluetooth continuous glucose monitor"),
    _("Bluetooth heart rate sensor"),
    _("Bluetooth pulse oximeter"),
    _("Bluetooth scale"),
    _("Bluetooth thermometer"),
    _("Continuous glucose monitor"),
    _("Pulse oximeter"),
    _("Thermometer"),
    _("Xiaomi Mi scale"),
    _("Xiaomi S400 or S200 scale"),
)
JUST_NOW = timedelta(minutes=1)


class Words:
    """`language`, and the zone in which times are told (a reading's own offset comes with its time)."""

    def __init__(self, language: Language, zone: str) -> None:
        self.language = language
        self.locale = LOCALES[language]
        self.zone: tzinfo = ZoneInfo(zone)
        self._translations = translations(language)

    def gettext(self, message: str, **values: object) -> str:
        text = str(self._translations.ugettext(message))
        return text % values if values else text

    def ngettext(self, one: str, many: str, number: int, **values: object) -> str:
        text = str(self._translations.ungettext(one, many, number))
        return text % {"num": self.number(number), **values}

    def number(self, value: int | float | Decimal) -> str:
        return str(format_decimal(value, locale=self.locale))

    def value(self, digits: str) -> str:
        """A measured value, every digit kept: "72.40" is "72,40" in French."""
        sign, digits = ("−", digits[1:]) if digits.startswith("-") else ("", digits)
        whole, point, rest = digits.partition(".")
        grouped = f"{int(whole):,}".replace(",", str(get_group_symbol(self.locale))) if whole else "0"
        return sign + grouped + (str(get_decimal_symbol(self.locale)) + rest if point else "")

    def metric(self, key: str) -> str:
        metric = METRICS.get(key)
        return metric.names[self.language] if metric else key

    def model(self, name: str) -> str:
        """A model's name; that of a product stays as it is."""
        return self.gettext(name) if name in MODEL_NAMES else name

    def unit(self, unit: str) -> str:
        """A UCUM code as people write it."""
        names = UNIT_NAMES.get(unit)
        return names[self.language] if names else unit

    def day(self, day: date) -> str:
        return str(format_date(day, "long", locale=self.locale))

    def short_day(self, day: date) -> str:
        return str(format_skeleton("MMMd", datetime(day.year, day.month, day.day), locale=self.locale))  # noqa: DTZ001

    def clock(self, at: datetime) -> str:
        """Time of day of `at` as it stands; convert before."""
        return str(format_time(at.replace(tzinfo=None), "HH:mm", locale=self.locale))

    def clock_of(self, minute: int) -> str:
        """`minute` minutes after midnight, up to a whole day."""
        return str(format_time(time(minute // 60 % 24, minute % 60), "HH:mm", locale=self.locale))

    def moment(self, at: datetime, now: datetime, *, own_offset: bool = False) -> str:
        """ "today at 07:31", "12 November 2026 at 07:31"; in the zone of these words, or in `at`'s own offset."""
        local = at if own_offset else at.astimezone(self.zone)
        today = now.astimezone(local.tzinfo).date()
        values = {"day": self.day(local.date()), "time": self.clock(local)}
        if local.date() == today:
            return self.gettext("today at %(time)s", **values)
        if local.date() == today - timedelta(days=1):
            return self.gettext("yesterday at %(time)s", **values)
        return self.gettext("%(day)s at %(time)s", **values)

    def ago(self, at: datetime, now: datetime) -> str:
        """ "just now", "5 minutes ago"."""
        past = now - at
        if past < JUST_NOW:
            return self.gettext("just now")
        return str(format_timedelta(-past, add_direction=True, locale=self.locale))

    def duration(self, seconds: int) -> str:
        """ "3 minutes", without a direction."""
        return str(format_timedelta(timedelta(seconds=abs(seconds)), threshold=1.5, locale=self.locale))
