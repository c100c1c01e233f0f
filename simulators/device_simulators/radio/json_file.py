"""Small JSON files that survive a power cut and that nobody else on the host may read."""

import json
import os
from pathlib import Path
from typing import Any


def read_json(path: Path) -> dict[str, Any]:  # Any: JSON; each caller knows its own fields
    """The object in the file; empty where there is no file. Raises ValueError for one that is damaged."""
    try:
        found = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return {}
    except ValueError as error:
        raise ValueError(f"{path} is damaged: {error}") from error
    if not isinstance(found, dict):
        raise ValueError(f"{path} is damaged: it holds no object")  # noqa: TRY004  the file is at fault, not the call
    return found


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Replaces the file as a whole: after a crash it is the old or the new one. Mode 0600: it may hold keys."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.part")
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
        json.dump(content, file)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)
