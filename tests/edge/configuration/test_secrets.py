"""Secrets in the settings: each is masked wherever settings are shown, those that are added later, too."""

import json
import logging
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
import structlog
from pydantic import BaseModel, SecretStr

from edge.configuration import load
from edge.configuration.effective import effective_toml
from edge.configuration.names import SettingPath, dotted, variable_name
from edge.errors import SettingsError
from edge.settings import MASK, Settings
from edge.telemetry.logging import configure_logging

# What lets every secret be given: each belongs to something.
REST = """
[kafka]
security_protocol = "SASL_SSL"
sasl_username = "edge"
ssl_cert_file = "edge.pem"
ssl_key_file = "edge.key.pem"
"""


def secret_paths(model: type[BaseModel] = Settings, prefix: SettingPath = ()) -> Iterator[SettingPath]:
    """All settings that are secrets, told from the types of the tree."""
    for name, field in model.model_fields.items():
        for kind in _kinds(field.annotation):
            if kind is SecretStr:
                yield (*prefix, name)
            elif isinstance(kind, type) and issubclass(kind, BaseModel):
                inner = (*prefix, name, "cam1") if get_args(field.annotation) else (*prefix, name)
                yield from secret_paths(kind, inner)


def _kinds(annotation: Any) -> Iterator[Any]:
    yield annotation
    for part in get_args(annotation):
        yield from _kinds(part)


PATHS = list(secret_paths())
SECRETS = {path: f"s3cret-{number}-0123456789abcdef0123456789abcdef" for number, path in enumerate(PATHS)}
VARIABLES = {variable_name(path): secret for path, secret in SECRETS.items()}


def shown_in(text: str) -> list[str]:
    return [secret for secret in SECRETS.values() if secret in text]


@pytest.fixture(autouse=True)
def _own_working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("stripsight.toml").write_text(REST, encoding="utf-8")


@pytest.fixture
def stderr(capsys: pytest.CaptureFixture[str]) -> Iterator[Callable[[], str]]:
    """What is logged, in this test alone."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield lambda: capsys.readouterr().err
    logging.captureWarnings(capture=False)
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


def test_the_secrets_of_the_tree_are_found() -> None:
    """The tests here do go over secrets."""
    assert {"kafka.sasl_password", "kafka.ssl_key_password"} <= {dotted(path) for path in PATHS}


def test_effective_settings_mask_every_secret() -> None:
    """What is printed as TOML, as JSON or by Python tells that a secret is set, and nothing more."""
    loaded = load(None, {}, VARIABLES)
    text = effective_toml(loaded)
    assert text.count(f'"{MASK}"') == len(PATHS)
    assert shown_in(text + loaded.settings.model_dump_json() + repr(loaded)) == []


@pytest.mark.parametrize("as_json", [True, False], ids=["json", "console"])
def test_a_log_line_of_the_settings_masks_every_secret(stderr: Callable[[], str], *, as_json: bool) -> None:
    """Whoever logs the settings, as a whole or by part, logs no secret."""
    settings = load(None, {}, VARIABLES).settings
    configure_logging("debug", "json" if as_json else "console")
    structlog.get_logger("edge").info("settings", whole=settings, **settings.model_dump())
    logging.getLogger("edge").info("settings %s", settings)
    text = stderr()
    assert text.count(MASK) >= 2 * len(PATHS)
    assert shown_in(text) == []


@pytest.mark.parametrize("path", PATHS, ids=dotted)
@pytest.mark.parametrize("source", ["environment", "file"])
@pytest.mark.parametrize("mistake", ["kind", "name"])
def test_a_secret_given_wrongly_is_not_told(path: SettingPath, source: str, mistake: str) -> None:
    """Neither one that is no text, nor one whose name is misspelled, is quoted."""
    secret = SECRETS[path]
    *section, name = path
    name = f"{name}x" if mistake == "name" else name
    value: object = [secret] if mistake == "kind" else secret
    environ = {}
    if source == "environment":
        environ[variable_name((section[0],))] = json.dumps({name: value})
    else:
        Path("stripsight.toml").write_text(f"[{'.'.join(section)}]\n{name} = {value!r}\n", encoding="utf-8")
    with pytest.raises(SettingsError, match=dotted((*section, name))) as raised:
        load(None, {}, environ)
    assert secret not in "".join(traceback.format_exception(raised.value))
