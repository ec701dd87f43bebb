"""All sources together, validated into one frozen settings tree."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from edge.configuration.environment import read_environment
from edge.configuration.flags import read_flags
from edge.configuration.given import Given, Tree, tree_of
from edge.configuration.names import SettingPath
from edge.configuration.problems import problems_of, settings_error
from edge.configuration.toml_file import read_file
from edge.settings import Settings


@dataclass(frozen=True, slots=True)
class LoadedSettings:
    """The settings, and where each one comes from that was given, by path."""

    settings: Settings
    origins: Mapping[SettingPath, str]


def load_settings(
    file: Path | None, flags: Mapping[str, Any], environ: Mapping[str, str] = os.environ
) -> Settings:
    """Read the settings; flags count over environment, over file, over defaults.

    Args:
        file: the TOML file; None for ``stripsight.toml`` in the working directory, if it is there.
        flags: values by dotted setting (``{"pipeline.max_batch": 4}``); None for a flag not given.
        environ: environment variables.

    Raises:
        SettingsError: names every wrong setting, its source, its value (unless secret) and what is allowed.
    """
    return load(file, flags, environ).settings


def load(
    file: Path | None, flags: Mapping[str, Any], environ: Mapping[str, str] = os.environ
) -> LoadedSettings:
    """As ``load_settings``, and keep where each setting came from."""
    from_file = read_file(file)
    from_environment, problems = read_environment(environ)
    layers = [read_flags(flags), from_environment, from_file]
    givens = {given.path: given for layer in reversed(layers) for given in layer}
    try:
        settings = Settings.model_validate(_merged(layers))
    except ValidationError as error:
        problems += problems_of(error, givens)
    if problems:
        raise settings_error(problems)
    return LoadedSettings(settings, {path: given.origin for path, given in givens.items()})


def _merged(layers: Sequence[Sequence[Given]]) -> Tree:
    """Let pydantic-settings lay the sources over each other, the strongest first."""

    class Merged(BaseSettings):
        model_config = SettingsConfigDict(extra="allow")

        @classmethod
        def settings_customise_sources(
            cls,
            settings_cls: type[BaseSettings],
            *_: PydanticBaseSettingsSource,
            **__: PydanticBaseSettingsSource,
        ) -> tuple[PydanticBaseSettingsSource, ...]:
            return tuple(_Layer(settings_cls, tree_of(layer)) for layer in layers)

    return Merged().model_extra or {}


class _Layer(PydanticBaseSettingsSource):
    """One source's settings, as a tree."""

    def __init__(self, settings_cls: type[BaseSettings], tree: Tree) -> None:
        super().__init__(settings_cls)
        self._tree = tree

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        del field
        return self._tree.get(field_name), field_name, True

    def __call__(self) -> Tree:
        return self._tree
