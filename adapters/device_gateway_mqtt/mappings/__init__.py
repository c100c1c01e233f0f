"""Mapping files that are always there. Files of the same key in DEVICE_GATEWAY_MAPPINGS take their place."""

from collections.abc import Mapping
from importlib.resources import files


def shipped_mappings() -> Mapping[str, str]:
    """Text of each file by its name."""
    found = sorted(files(__package__).iterdir(), key=lambda entry: entry.name)
    return {entry.name: entry.read_text("utf-8") for entry in found if entry.name.endswith(".toml")}
