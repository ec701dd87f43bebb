"""How a setting is called: ``kafka.group_id``, ``--group-id``, ``STRIPSIGHT_KAFKA__GROUP_ID``."""

from collections.abc import Iterable

SettingPath = tuple[str, ...]

PREFIX = "STRIPSIGHT_"
DELIMITER = "__"
ENVIRONMENT = "environment"

# The flags of ``stripsight run`` that are not called as their setting is.
_FLAG_OF_SETTING = {
    "kafka.bootstrap_servers": "--bootstrap",
    "kafka.group_id": "--group",
    "kafka.frame_topics": "--topic",
    "model.path": "--model",
    "http.host": "--http-host",
    "http.port": "--http-port",
    "log.level": "--log-level",
    "log.format": "--log-format",
}


def dotted(path: Iterable[object]) -> str:
    """Return the name in messages and in the TOML file."""
    return ".".join(str(part) for part in path)


def flag_name(setting: str) -> str:
    """Return the flag of a setting given by its dotted name: ``--max-batch`` for ``pipeline.max_batch``."""
    name = setting.rpartition(".")[2]
    return _FLAG_OF_SETTING.get(setting, "--" + name.replace("_", "-"))


def variable_name(path: SettingPath) -> str:
    """Return the environment variable of a setting; a camera's id keeps its case."""
    is_camera = path[0] == "cameras"
    parts = (part if is_camera and index == 1 else part.upper() for index, part in enumerate(path))
    return PREFIX + DELIMITER.join(parts)


def name_beside(path: SettingPath, origin: str) -> str:
    """Return the name as it would be spelled at ``origin``."""
    return variable_name(path) if origin.startswith(ENVIRONMENT) else dotted(path)
