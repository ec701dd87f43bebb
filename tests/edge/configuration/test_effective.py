import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.configuration import load, load_settings
from edge.configuration.effective import effective_toml
from edge.settings import MASK

TEXTS = st.text(st.characters(codec="utf-8", exclude_categories=["Cc"]), min_size=1, max_size=50)


@pytest.fixture(autouse=True)
def _own_working_directory(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path_factory.mktemp("work"))


@given(line=TEXTS, camera=TEXTS, pitch=st.floats(min_value=1e-9, max_value=1e3), topics=st.just(["a", "b"]))
def test_what_is_shown_reads_back_as_the_same_settings(
    line: str, camera: str, pitch: float, topics: list[str]
) -> None:
    """Settings shown are a file that yields them again, whatever characters names hold."""
    flags = {"line": line, "cameras": {camera: {"pitch_x_mm": pitch}}, "kafka.frame_topics": topics}
    loaded = load(None, flags, {})
    Path("shown.toml").write_text(effective_toml(loaded), encoding="utf-8")
    assert load_settings(Path("shown.toml"), {}, {}) == loaded.settings


def test_given_settings_tell_their_source_and_others_do_not() -> None:
    """A comment tells flag, variable or line; defaults stand without one."""
    loaded = load(None, {"pipeline.max_batch": 3}, {"STRIPSIGHT_PIPELINE__QUEUE_FRAMES": "64"})
    shown = effective_toml(loaded).splitlines()
    assert "max_batch = 3      # flag --max-batch" in shown
    assert "queue_frames = 64  # environment STRIPSIGHT_PIPELINE__QUEUE_FRAMES" in shown
    assert "decode_threads = 2" in shown
    assert "# sasl_username is not set" in shown


def test_secrets_are_masked() -> None:
    """A password is known to be set, and no more."""
    shown = effective_toml(load(None, {}, {"STRIPSIGHT_KAFKA__SASL_PASSWORD": "hunter2"}))
    assert "hunter2" not in shown
    assert tomllib.loads(shown)["kafka"]["sasl_password"] == MASK
