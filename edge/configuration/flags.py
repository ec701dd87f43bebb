"""Settings from the command line."""

from collections.abc import Mapping
from typing import Any

from edge.configuration.given import Given
from edge.configuration.names import flag_name


def read_flags(flags: Mapping[str, Any]) -> list[Given]:
    """Take values by dotted setting; a value of None is a flag that was not given."""
    return [
        Given(tuple(setting.split(".")), value, f"flag {flag_name(setting)}")
        for setting, value in flags.items()
        if value is not None
    ]
