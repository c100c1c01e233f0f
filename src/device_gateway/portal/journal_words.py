"""The journal in sentences: one per event and outcome, about "you" where it was the patient."""

from collections.abc import Mapping
from datetime import date, datetime
from typing import NamedTuple
from uuid import UUID

import app_catalog
from device_gateway.devices.models import model_name
from device_gateway.journal import EventName
from device_gateway.journal.reading_back import Entry
from device_gateway.portal.translations import marked as _
from device_gateway.portal.translations import marked_plural as _n
from device_gateway.portal.words import Words

App = app_catalog.EventName

# Values: who (actor), app, device, metrics, purposes, why. `num` is the quantity where there is one.
PERMITTED: Mapping[str, str] = {
    EventName.SIGNED_IN: _("You signed in."),
    EventName.SIGNED_OUT: _("You signed out."),
    EventName.PASSWORD_CHANGED: _("You changed your password; other windows were signed out."),
    EventName.CLAIM_CODE_MADE: _("You made a claim code for “%(device)s”."),
    EventName.DEVICE_CLAIMED: _("“%(device)s” was paired with your space."),
    EventName.DEVICE_RELEASED: _("You removed “%(device)s”. What it measured before stays with you."),
    EventName.CREDENTIALS_RENEWED: _("You had a new password made for “%(device)s”; the one before ended."),
    EventName.CERTIFICATE_RENEWED: _("“%(device)s” renewed the certificate that it signs in with."),
    EventName.BOND_HANDED_ON: _("The kept bond of “%(device)s” was handed to the edge that carries it now."),
    EventName.BOND_ERASED: _("The kept bond of “%(device)s” was erased."),
    EventName.DEVICE_USER_MAPPED: _("You said that user %(user)s of “%(device)s” is you."),
    EventName.DEVICE_USER_INVITED: _("You made a code for user %(user)s of “%(device)s”, for %(called)s."),
    EventName.DEVICE_USER_JOINED: _("You are user %(user)s of “%(device)s” now, by a code of its holder."),
    EventName.DEVICE_USER_CODE_USED: _("Your code was used: user %(user)s of “%(device)s” is %(called)s now."),
    EventName.DEVICE_USER_ENDED: _("You ended that user %(user)s of “%(device)s” is linked to a person."),
    EventName.DEVICE_USER_LEFT: _("User %(user)s of “%(device)s” is no longer linked: the other person ended it."),
    EventName.DEVICE_SYNCED: _("“%(device)s” sent measurements."),
    EventName.IMPORT_BEGUN: _("The import of a file (%(source)s) began."),
    EventName.QUARANTINE_SEEN: _("An operator looked at a message of your device that could not be understood."),
    EventName.QUARANTINE_REPLAYED: _("An operator had messages that could not be understood taken in again."),
    EventName.SENSOR_START_ASKED: _("You asked for a new session of “%(device)s”."),
    EventName.SENSOR_WAITS: _("“%(device)s” waits for its session to be started."),
    EventName.SENSOR_WARMS_UP: _("“%(device)s” began a session and is warming up."),
    EventName.SENSOR_MEASURES: _("“%(device)s” measures."),
    EventName.SENSOR_EXPIRED: _("“%(device)s” has reached the end of its run time: change the sensor."),
    EventName.SENSOR_ENDED: _("The session of “%(device)s” has ended: change the sensor."),
    EventName.SENSOR_NOT_STARTED: _("“%(device)s” did not start a session."),
    EventName.BIND_KEY_WRONG: _(
        "The bind key of “%(device)s” does not open what it sends: pair it again with its key."
    ),
    EventName.CONSENT_WANTED: _("“%(device)s” no longer knows who you are to it: pair it again."),
    EventName.APP_READ_PATIENT: _("%(app)s asked who you are to it: it was told an id of its own, not your name."),
    App.APP_OPENED: _("You opened %(app)s from here."),
    App.APP_PAIRED: _("You connected %(app)s."),
    App.APP_UNPAIRED: _("You disconnected %(app)s: its access ended at once."),
    App.PURPOSE_GIVEN: _("You agreed that %(app)s may do this: %(purposes)s."),
    App.PURPOSE_WITHDRAWN: _("You took back what you had allowed %(app)s: %(purposes)s."),
    App.APP_ENDED: _("%(app)s is disconnected: %(why)s."),
    App.APP_STOPPED: _(
        "%(app)s is suspended by the operator of the catalogue since %(since)s: it sees nothing until it is back."
        " %(cause)s"
    ),
    App.APP_RESUMED: _("%(app)s is no longer suspended since %(since)s: what you had agreed to holds again. %(cause)s"),
    App.APP_UNLISTED: _(
        "%(app)s is not in the list of the catalogue any more since %(since)s, by decision of its operator: for you it"
        " goes on as before. %(cause)s"
    ),
    App.APP_RELISTED: _("%(app)s is in the list of the catalogue again since %(since)s. %(cause)s"),
    App.APP_REMOVED: _(
        "%(app)s was removed from the catalogue by its operator on %(since)s: it is disconnected. %(cause)s"
    ),
    App.PURPOSE_ENDED: _("What you had allowed %(app)s has ended, on the day that you had chosen: %(purposes)s."),
    App.END_CHOSEN: _("You chose until when %(app)s may go on: %(until)s."),
    App.VERSION_ASKED: _("%(app)s has changed: you are asked about it until %(until)s."),
    App.OF_AGE_ASKED: _("You have come of age: you are asked about %(app)s until %(until)s."),
    App.VERSION_ANSWERED: _("You answered about %(app)s: you agree to %(purposes)s."),
    App.VERSION_UNANSWERED: _("%(app)s sees nothing any more: you have not answered about it."),
    App.CODE_REDEEMED: _("%(app)s received the access that you gave it."),
    App.TOKEN_REFRESHED: _("%(app)s renewed its access."),
    App.TOKEN_REVOKED: _("%(app)s gave back its access."),
    App.GRANT_REVOKED: _("The access of an app ended."),
    App.CIRCLE_JOINED: _("You joined the circle of patients who try %(app)s."),
    App.REPORT_MADE: _("You reported %(app)s to the reviewers of the catalogue."),
    App.REPORT_ANSWERED: _("What you had reported about %(app)s has an outcome: it is among your reports."),
}
COUNTED: Mapping[str, tuple[str, str]] = {
    EventName.READINGS_MISSING: _n(
        "%(num)s measurement of “%(device)s” is missing: the device has not got it any more.",
        "%(num)s measurements of “%(device)s” are missing: the device has not got them any more.",
    ),
    EventName.INBOX_ACCEPTED: _n(
        "You said that %(num)s measurement of “%(device)s” is yours.",
        "You said that %(num)s measurements of “%(device)s” are yours.",
    ),
    EventName.INBOX_DISCARDED: _n(
        "You said that %(num)s measurement of “%(device)s” is not yours: it was deleted.",
        "You said that %(num)s measurements of “%(device)s” are not yours: they were deleted.",
    ),
    EventName.INBOX_EXPIRED: _n(
        "%(num)s measurement of “%(device)s” was removed: nobody had said for too long whose it is.",
        "%(num)s measurements of “%(device)s” were removed: nobody had said for too long whose they are.",
    ),
    EventName.IMPORT_DONE: _n(
        "%(num)s measurement was imported from a file (%(source)s).",
        "%(num)s measurements were imported from a file (%(source)s).",
    ),
    EventName.EDGE_REPLACED: _n(
        "A new edge took the place of “%(device)s”, with %(num)s device.",
        "A new edge took the place of “%(device)s”, with %(num)s devices.",
    ),
    App.APPS_LISTED: _n(
        "You were sent the list of your connected apps: %(num)s app.",
        "You were sent the list of your connected apps: %(num)s apps.",
    ),
    App.CONSENTS_EXPORTED: _n("You downloaded %(num)s agreement.", "You downloaded %(num)s agreements."),
    EventName.READINGS_SEEN: _n("You looked at %(num)s measurement.", "You looked at %(num)s measurements."),
    EventName.APP_SEARCHED_OBSERVATIONS: _n(
        "%(app)s read %(num)s measurement: %(metrics)s.", "%(app)s read %(num)s measurements: %(metrics)s."
    ),
    EventName.APP_READ_OBSERVATION: _n(
        "%(app)s read %(num)s measurement: %(metrics)s.", "%(app)s read %(num)s measurements: %(metrics)s."
    ),
    EventName.APP_SEARCHED_DEVICES: _n(
        "%(app)s looked at the description of %(num)s device.", "%(app)s looked at the description of %(num)s devices."
    ),
    EventName.APP_READ_DEVICE: _n(
        "%(app)s looked at the description of %(num)s device.", "%(app)s looked at the description of %(num)s devices."
    ),
}
NOTHING_FOUND = _("%(app)s asked for your measurements and found none that it may read.")
REFUSED: Mapping[str, str] = {
    EventName.SIGN_IN_REFUSED: _("A sign-in with your user name was refused."),
    EventName.DEVICE_CLAIMED: _("A device could not be paired: someone else holds it, and must remove it first."),
    App.APP_DENIED: _("You refused to connect %(app)s."),
    App.CODE_REPLAYED: _("A code of %(app)s was used twice, so its access was ended."),
    App.TOKEN_REPLAYED: _("A key of %(app)s was used twice, so its access was ended."),
    App.TOKEN_REFUSED: _("%(app)s was refused."),
}
APP_REFUSED = _("%(app)s was refused: %(why)s.")
SOMEBODY_REFUSED = _("%(who)s was refused.")
# Reasons of `access` and of the catalogue, by the words that the journal keeps.
REASONS: Mapping[str, str] = {
    "other space": _("what it asked for is not yours"),
    "other patient": _("it asked for somebody else's measurements"),
    "no scope": _("it was not given this access"),
    "no consent": _("you have not agreed to a purpose for it"),
    "not referenced": _("it may read none of the device's measurements"),
    "grant revoked": _("you had ended its access"),
    "approval awaited": _("it waits for your answer about its new version"),
    "The app has left the catalogue.": _("it left the catalogue"),
    "The day came that the patient had chosen.": _("the day came that you had chosen"),
    "token revoked": _("its access had been ended"),
    "token expired": _("its access had run out"),
    "grant expired": _("its access had run out"),
    "app suspended": _("the app is suspended"),
    "certificate missing or wrong": _("its access was used without its certificate"),
}
ANOTHER_REASON = _("it has no right to this")
ANYTHING_ELSE = _("%(who)s: %(event)s")
SYSTEM = _("The gateway")


class Names(NamedTuple):
    """What the ids in journal rows are called. devices by id; purposes by (app, key)."""

    devices: Mapping[UUID, str]
    purposes: Mapping[tuple[UUID, str], str]


def sentence(entry: Entry, words: Words, names: Names) -> str:
    """One row of the journal, told."""
    values = _values(entry, words, names)
    refused = entry.outcome == "deny"
    if refused:
        template = REFUSED.get(entry.event)
        if template is None and entry.actor_kind == "app":
            return words.gettext(APP_REFUSED, **values)
        return words.gettext(template or SOMEBODY_REFUSED, **values)
    if entry.event in REFUSED and entry.event not in PERMITTED:
        return words.gettext(REFUSED[entry.event], **values)
    if entry.event in COUNTED:
        if entry.actor_kind == "app" and not entry.quantity and "observation" in entry.event:
            return words.gettext(NOTHING_FOUND, **values)
        one, many = COUNTED[entry.event]
        return words.ngettext(one, many, entry.quantity or 0, **values)
    return words.gettext(PERMITTED.get(entry.event, ANYTHING_ELSE), **values).rstrip()


def app_of(entry: Entry) -> UUID | None:
    """The app that a row is about."""
    text = entry.actor_id if entry.actor_kind == "app" else (entry.resource or "").removeprefix("app/")
    return _uuid(text)


def purposes_text(entry: Entry, names: Names) -> str:
    """Names of the row's purposes; the key of one that is no longer described."""
    app = app_of(entry)
    keys = (entry.purpose or "").split()
    return ", ".join(names.purposes.get((app, key), key) if app else key for key in keys)


def _values(entry: Entry, words: Words, names: Names) -> dict[str, str]:
    metrics = entry.details.get("metrics") or []
    return {
        "who": entry.actor_name or words.gettext(SYSTEM),
        "app": str(entry.details.get("app") or entry.actor_name or ""),
        "device": _device(entry, names),
        "metrics": ", ".join(_inside(words.metric(key)) for key in metrics),
        "purposes": purposes_text(entry, names),
        "source": str(entry.details.get("source") or ""),
        "user": str(entry.details.get("user", "")),
        "called": str(entry.details.get("called", "")),
        "why": words.gettext(REASONS.get(entry.reason or "", ANOTHER_REASON)),
        "until": _day(entry, words),
        "since": _since(entry, words),
        "cause": _cause(entry, words),
        "event": entry.event,
    }


def _day(entry: Entry, words: Words) -> str:
    """The day that a row is about."""
    text = entry.details.get("until")
    return words.day(date.fromisoformat(str(text))) if text else ""


def _since(entry: Entry, words: Words) -> str:
    """Since when what a row tells has been so: the row itself may be a little younger."""
    text = entry.details.get("since")
    if not text:
        return ""
    at = datetime.fromisoformat(str(text)).astimezone(words.zone)
    return words.gettext("%(day)s at %(time)s", day=words.day(at.date()), time=words.clock(at))


def _cause(entry: Entry, words: Words) -> str:
    """Why an app moved, in the words of the catalogue for patients; nothing where none were chosen."""
    cause = entry.details.get("cause")
    return words.gettext(app_catalog.Cause(cause).label) if cause in set(app_catalog.Cause) else ""


def _device(entry: Entry, names: Names) -> str:
    """As the patient called it at pairing or calls it now, otherwise the model."""
    if name := entry.details.get("device"):
        return str(name)
    text = (entry.resource or "").removeprefix("Device/") if entry.actor_kind != "device" else entry.actor_id
    device = _uuid(text)
    if device and device in names.devices:
        return names.devices[device]
    return model_name(str(entry.details.get("model") or entry.actor_name or ""))


def _inside(name: str) -> str:
    """A metric's name within a sentence: small, but for an abbreviation such as HbA1c."""
    return name if any(letter.isupper() or letter.isdigit() for letter in name[1:]) else name[0].lower() + name[1:]


def _uuid(text: str | None) -> UUID | None:
    try:
        return UUID(text or "")
    except ValueError:
        return None
