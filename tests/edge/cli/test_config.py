import json
import subprocess
import sys
import tomllib
from pathlib import Path

import jsonschema
import pytest
from typer.testing import CliRunner

from edge.cli.config import app
from edge.configuration import load_settings
from edge.errors import SettingsError

PASSWORD, KEY = "hunter2", "opens the key"  # what must not show


@pytest.fixture
def cli(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> CliRunner:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("STRIPSIGHT_KAFKA__SASL_PASSWORD", PASSWORD)
    Path("stripsight.toml").write_text('line = "mill-4"\n[http]\nport = 1\n', encoding="utf-8")
    return CliRunner()


def test_show_prints_settings_with_their_sources(cli: CliRunner) -> None:
    """The effective settings are TOML, secrets masked, each given one with its source."""
    result = cli.invoke(app, ["show"])
    assert result.exit_code == 0
    assert tomllib.loads(result.stdout)["line"] == "mill-4"
    assert "# stripsight.toml line 3" in result.stdout
    assert "# environment STRIPSIGHT_KAFKA__SASL_PASSWORD" in result.stdout
    assert PASSWORD not in result.output


def test_show_masks_every_secret(cli: CliRunner) -> None:
    """The password of a key is as secret as that of an account, from whatever source, as TOML and as JSON."""
    text = f"ssl_cert_file = 'c'\nssl_key_file = 'k'\nssl_key_password = '{KEY}'"
    Path("stripsight.toml").write_text(f"[kafka]\nsecurity_protocol = 'SSL'\n{text}", encoding="utf-8")
    shown = [cli.invoke(app, ["show", *options]).output for options in ([], ["--json"])]
    assert [text.count("**********") for text in shown] == [2, 2]
    assert [secret for secret in (PASSWORD, KEY) if secret in "".join(shown)] == []


@pytest.mark.parametrize(
    ("name", "complaint"),
    [
        ("ssl_key_password", "ssl_key_password needs ssl_key_file"),
        ("ssl_key_pasword", "there is no such setting; did you mean kafka.ssl_key_password?"),
    ],
)
def test_check_of_wrong_settings_tells_no_secret(cli: CliRunner, name: str, complaint: str) -> None:
    """A complaint about a secret, or about what it belongs to, does not quote it."""
    Path("stripsight.toml").write_text(f"[kafka]\n{name} = '{KEY}'\n", encoding="utf-8")
    result = cli.invoke(app, ["check"])
    assert result.exit_code == 2
    assert complaint in result.stderr
    assert [secret for secret in (PASSWORD, KEY) if secret in result.output] == []


def test_show_as_json_prints_the_settings_alone(cli: CliRunner) -> None:
    """Programs get one JSON object, secrets masked, that the schema accepts."""
    result = cli.invoke(app, ["show", "--json"])
    settings = json.loads(result.stdout)
    jsonschema.validate(settings, json.loads(cli.invoke(app, ["schema"]).stdout))
    assert (settings["http"]["port"], settings["kafka"]["sasl_password"]) == (1, "**********")
    assert PASSWORD not in result.output


def test_show_of_wrong_settings_is_the_settings_error(cli: CliRunner) -> None:
    """The command line's root gets the typed error, and says it as of any command."""
    result = cli.invoke(app, ["show", "--config", "absent.toml"])
    assert isinstance(result.exception, SettingsError)


def test_lines_are_never_folded(cli: CliRunner) -> None:
    """A long value stays on one line, however narrow the terminal."""
    text = f"line = '{'x' * 150}'\n[cameras.c]\nline = '{'y' * 150}'\n"
    Path("stripsight.toml").write_text(text, encoding="utf-8")
    result = cli.invoke(app, ["show"], env={"COLUMNS": "40"})
    assert tomllib.loads(result.stdout)["cameras"]["c"]["line"] == "y" * 150


def test_no_colours_without_a_terminal(cli: CliRunner) -> None:
    """What is piped is plain text."""
    assert "\x1b" not in cli.invoke(app, ["show"]).output + cli.invoke(app, ["schema"]).output


def test_check_of_right_settings_says_ok(cli: CliRunner) -> None:
    """A deployment script gets exit code 0."""
    result = cli.invoke(app, ["check", "-c", "stripsight.toml"])
    assert (result.exit_code, result.stdout) == (0, "ok\n")


def test_check_of_wrong_settings_names_them(cli: CliRunner) -> None:
    """Every wrong setting is told on standard error, with exit code 2."""
    Path("stripsight.toml").write_text("[http]\nprot = 1\nhost = 3\n", encoding="utf-8")
    result = cli.invoke(app, ["check"])
    assert (result.exit_code, result.stdout) == (2, "")
    with pytest.raises(SettingsError) as raised:
        load_settings(None, {})
    assert result.stderr == f"{raised.value}\n"


def test_schema_is_a_json_schema(cli: CliRunner) -> None:
    """The schema may be handed to any validator."""
    schema = json.loads(cli.invoke(app, ["schema"]).stdout)
    jsonschema.Draft202012Validator.check_schema(schema)


def test_config_does_not_import_torch() -> None:
    """Looking at settings does not wait for torch."""
    script = "import sys, edge.cli.config; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
