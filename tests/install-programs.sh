#!/bin/sh
# Programs that tests run against and pip does not have. Installed where this user may, named where not.
set -eu
missing=""
# Of Chromium the shell without windows, for it takes a third of the time; where there is none, Chromium will do.
if ! command -v chromium-headless-shell >/dev/null 2>&1; then
  if [ "$(id -u)" = 0 ] && apt-cache show chromium-headless-shell >/dev/null 2>&1; then
    missing="$missing chromium-headless-shell"
  elif ! command -v chromium >/dev/null 2>&1; then
    missing="$missing chromium"
  fi
fi
command -v dbus-daemon >/dev/null 2>&1 || missing="$missing dbus"
command -v node >/dev/null 2>&1 || missing="$missing nodejs"
command -v npm >/dev/null 2>&1 || missing="$missing npm"
[ -x /usr/sbin/mosquitto ] || command -v mosquitto >/dev/null 2>&1 || missing="$missing mosquitto"
[ -z "$missing" ] && exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
  echo "Installing$missing"
  apt-get update -q >/dev/null
  # The broker is started by tests on ports of their own; Debian's service is neither needed nor wanted.
  DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 apt-get install -y -q --no-install-recommends $missing >/dev/null
else
  echo "error: the tests need$missing; install them (Debian: sudo apt-get install$missing) and run again" >&2
  exit 69
fi
