#!/bin/sh
# A private root directory with PostgreSQL 17 and TimescaleDB (Apache) from Debian 13's own packages, beside whatever
# Debian this is. Nothing of the machine is changed: apt works with lists and state under the given directory.
# Usage: timescaledb-root.sh DIRECTORY    (needs root, apt and dpkg-deb; about 100 MB). Exit code 69: cannot be had here.
set -eu
root=$(readlink -m "$1")
[ -e "$root/usr/lib/postgresql/17/bin/postgres" ] && exit 0
[ "$(id -u)" = 0 ] || { echo "error: this needs root, for chroot" >&2; exit 69; }
# The mirror that this machine uses anyway.
site=$(apt-get indextargets --format '$(SITE)|$(ORIGIN)|$(LABEL)|$(CODENAME)' "Created-By: Packages" | awk -F'|' '$3 == "Debian" {print $1; exit}')
[ -n "$site" ] || { echo "error: no Debian mirror is configured here; run apt-get update first" >&2; exit 69; }
work="$root.apt"
mkdir -p "$work/lists/partial" "$work/cache/archives/partial" "$work/etc" "$root"
: > "$work/status"
echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $site trixie main" > "$work/etc/sources.list"
options="-q -o Dir::Etc::sourcelist=$work/etc/sources.list -o Dir::Etc::sourceparts=- -o Dir::State::Lists=$work/lists
  -o Dir::State::status=$work/status -o Dir::Cache=$work/cache -o APT::Install-Recommends=false -o APT::Architecture=$(dpkg --print-architecture)
  -o Dir::Etc::preferencesparts=/dev/null -o Dir::Etc::preferences=/dev/null -o Debug::NoLocking=true"
{ apt-get $options update && apt-get $options install -y --download-only base-files dash postgresql-17-timescaledb postgresql-17; } >/dev/null ||
  { echo "error: the packages of Debian 13 cannot be fetched here" >&2; exit 69; }
# Debian merged /bin into /usr/bin and so on; without the packages' scripts the links are made here.
for directory in bin sbin lib lib64; do
  mkdir -p "$root/usr/$directory"
  [ -e "$root/$directory" ] || ln -s "usr/$directory" "$root/$directory"
done
for package in "$work"/cache/archives/*.deb; do
  dpkg-deb --fsys-tarfile "$package" | tar -x --keep-directory-symlink -C "$root"
done
mkdir -p "$root/dev" "$root/tmp" "$root/data"
[ -e "$root/dev/null" ] || mknod -m 666 "$root/dev/null" c 1 3
[ -e "$root/dev/urandom" ] || mknod -m 666 "$root/dev/urandom" c 1 9
chmod 1777 "$root/tmp"
grep -q '^postgres:' "$root/etc/passwd" 2>/dev/null || printf 'root:x:0:0::/:/bin/sh\npostgres:x:5432:5432::/data:/bin/sh\n' > "$root/etc/passwd"
/sbin/ldconfig -r "$root" 2>/dev/null || true
rm -rf "$work"
