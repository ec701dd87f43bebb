import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from pydantic import SecretStr

from edge.configuration import load, load_settings
from edge.settings import CameraSettings, Settings

WriteToml = Callable[[str], Path]


@pytest.fixture
def toml(tmp_path: Path) -> WriteToml:
    def write(text: str) -> Path:
        file = tmp_path / "line.toml"
        file.write_text(text, encoding="utf-8")
        return file

    return write


@pytest.fixture(autouse=True)
def _empty_working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    directory = tmp_path / "work"
    directory.mkdir()
    monkeypatch.chdir(directory)


def test_nothing_given_yields_the_defaults() -> None:
    """Without file, flags and variables the settings are the defaults."""
    assert load_settings(None, {}, {}) == Settings()


def test_flags_count_over_environment_over_file_over_defaults(toml: WriteToml) -> None:
    """Each layer overrides those beneath it, setting by setting."""
    file = toml('line = "mill-4"\n[pipeline]\nmax_batch = 2\nmax_wait_ms = 2\nqueue_frames = 2\n')
    environ = {"STRIPSIGHT_PIPELINE__MAX_BATCH": "3", "STRIPSIGHT_PIPELINE__MAX_WAIT_MS": "3"}

    settings = load_settings(file, {"pipeline.max_batch": 4}, environ)

    pipeline = settings.pipeline
    assert (pipeline.max_batch, pipeline.max_wait_ms, pipeline.queue_frames) == (4, 3.0, 2)
    assert (settings.line, pipeline.decode_threads) == ("mill-4", Settings().pipeline.decode_threads)


def test_flags_not_given_do_not_count(toml: WriteToml) -> None:
    """A flag of None leaves the setting to the weaker sources."""
    file = toml("[http]\nport = 1234\n")
    assert load_settings(file, {"http.port": None}, {}).http.port == 1234


def test_file_of_the_working_directory_is_found() -> None:
    """Without --config, stripsight.toml beside the operator is read."""
    Path("stripsight.toml").write_text('line = "found"', encoding="utf-8")
    assert load_settings(None, {}, {}).line == "found"


def test_named_file_replaces_the_one_of_the_working_directory(toml: WriteToml) -> None:
    """With --config, stripsight.toml of the working directory is left alone."""
    Path("stripsight.toml").write_text("nonsense", encoding="utf-8")
    assert load_settings(toml('line = "named"'), {}, {}).line == "named"


def test_origins_tell_where_each_setting_comes_from(toml: WriteToml) -> None:
    """Every given setting knows its flag, its variable, or its file and line."""
    file = toml('# the line\nline = "x"\n\n[http]\nport = 1\nhost = "::"\n')
    loaded = load(file, {"http.port": 2, "log.level": "debug"}, {"STRIPSIGHT_KAFKA__GROUP_ID": "g"})
    assert loaded.origins == {
        ("line",): f"{file} line 2",
        ("http", "host"): f"{file} line 6",
        ("http", "port"): "flag --http-port",
        ("log", "level"): "flag --log-level",
        ("kafka", "group_id"): "environment STRIPSIGHT_KAFKA__GROUP_ID",
    }


def test_settings_are_of_the_plain_class_and_frozen() -> None:
    """What is loaded is a Settings like any other, and nobody can change it."""
    settings = load_settings(None, {"line": "a"}, {})
    assert type(settings) is Settings
    with pytest.raises(ValueError, match="frozen"):
        settings.line = "b"


def test_secret_is_read_and_does_not_show() -> None:
    """A password arrives, and its repr does not tell it."""
    environ = {
        "STRIPSIGHT_KAFKA__SECURITY_PROTOCOL": "SASL_SSL",
        "STRIPSIGHT_KAFKA__SASL_USERNAME": "edge",
        "STRIPSIGHT_KAFKA__SASL_PASSWORD": "hunter2",
    }
    loaded = load(None, {}, environ)
    assert loaded.settings.kafka.sasl_password == SecretStr("hunter2")
    assert "hunter2" not in repr(loaded)


def test_cameras_of_all_sources_are_one_table(toml: WriteToml) -> None:
    """A camera's settings may come from file and environment together."""
    file = toml('[cameras.cam1]\npitch_x_mm = 0.5\n[cameras."cam-2"]\n')
    environ = {"STRIPSIGHT_CAMERAS__cam1__PITCH_Y_MM": "0.25", "STRIPSIGHT_CAMERAS__cam3__SIDE": "bottom"}
    assert load_settings(file, {}, environ).cameras == {
        "cam1": CameraSettings(pitch_x_mm=0.5, pitch_y_mm=0.25),
        "cam-2": CameraSettings(),
        "cam3": CameraSettings(side="bottom"),
    }


def test_loading_settings_does_not_import_torch() -> None:
    """A mistaken setting is told at once, not after seconds of importing."""
    script = "import sys, edge.configuration; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
