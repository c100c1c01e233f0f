"""One file of one package of npm, for tests with programs of a browser: fetched by npm, checked by its hash."""

import hashlib
import subprocess
import tarfile
from base64 import b64encode
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Tarball:
    """`integrity` as a lock file of npm writes it."""

    package: str
    version: str
    integrity: str


FHIRCLIENT = Tarball(
    "fhirclient",
    "2.6.3",
    "sha512-CirZixcwWelbkIXxpxlNQx5+ZdJirl6F1s4y4yvA1X7hHAkr9n99aVHaMi0wX+97nATjKQ65X6NB5as/wZoJzg==",
)


def file_of(tarball: Tarball, name: str, directory: Path) -> bytes:
    """The bytes of `name` in the package; nothing of it is installed or run."""
    wanted = f"{tarball.package}@{tarball.version}"
    command = ["npm", "pack", wanted, "--pack-destination", str(directory), "--silent"]
    subprocess.run(command, check=True, capture_output=True, timeout=120)
    path = directory / f"{tarball.package}-{tarball.version}.tgz"
    digest = hashlib.sha512(path.read_bytes()).digest()
    assert f"sha512-{b64encode(digest).decode()}" == tarball.integrity, "the package is not the one that was looked at"
    with tarfile.open(path) as archive:
        file = archive.extractfile(f"package/{name}")
        assert file
        return file.read()
