"""How long everything lives, and why."""

from datetime import timedelta

CODE = timedelta(seconds=60)  # SMART 2.2 @58 and FAPI 2.0 5.3.2.1-11: one minute

# Every check reads grant, consent and status, so that a long life would open nothing that the patient closed; ten
# minutes (HDDT's example) bound what a stolen token is worth, at six refreshes an hour.
ACCESS_TOKEN = timedelta(minutes=10)

# An app that is not used has to ask again (RFC 9700 §4.14). After a month where a refresh token is worth something to
# whoever bears it, and under HDDT, which says so; after three where its client proves itself at each use: a service
# that looks once a quarter is in use.
IDLE_IF_BORNE = timedelta(days=30)
IDLE_IF_PROVEN = timedelta(days=91)
GRANT = timedelta(days=365)  # and every app once a year, however much it is used (HDDT: validity up to a year)

# A client that lost the answer to a refresh may repeat it for so long and gets the same tokens; later it is a theft.
ROTATION_GRACE = timedelta(seconds=60)

ID_TOKEN = timedelta(minutes=10)  # it says who signed in, once: clients read it when they get it
LAUNCH = timedelta(minutes=5)  # from a click in the portal to the app's authorization request

PUSHED_REQUEST = timedelta(minutes=9)  # FAPI 2.0 5.3.2.2-12: under ten; a patient may have to sign in first
AUTHORIZATION_REQUEST = timedelta(minutes=15)  # to sign in, read and decide
