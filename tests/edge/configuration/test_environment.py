import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.configuration import load_settings
from edge.errors import SettingsError


@pytest.fixture(autouse=True)
def _own_working_directory(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path_factory.mktemp("work"))


def test_case_of_sections_and_settings_does_not_matter() -> None:
    """Our own names are read in upper and lower case."""
    assert load_settings(None, {}, {"STRIPSIGHT_kafka__Group_Id": "x"}).kafka.group_id == "x"


def test_camera_ids_keep_their_case() -> None:
    """Camera ids are as case-sensitive as the topics they stand in."""
    environ = {"STRIPSIGHT_CAMERAS__cam1__SIDE": "bottom", "STRIPSIGHT_CAMERAS__CAM1__SIDE": "top"}
    cameras = load_settings(None, {}, environ).cameras
    assert {name: camera.side for name, camera in cameras.items()} == {"cam1": "bottom", "CAM1": "top"}


def test_cameras_may_be_json() -> None:
    """Ids that no shell allows in a name are given as JSON, and single variables add to them."""
    environ = {
        "STRIPSIGHT_CAMERAS": '{"cam-1": {"pitch_x_mm": 0.5}, "b": {"side": "top"}}',
        "STRIPSIGHT_CAMERAS__b__SIDE": "bottom",
    }
    cameras = load_settings(None, {}, environ).cameras
    assert (cameras["cam-1"].pitch_x_mm, cameras["b"].side) == (0.5, "bottom")


@pytest.mark.parametrize("text", ['["frames.a", "frames.b"]', "frames.a,frames.b", " frames.a , frames.b, "])
def test_lists_are_json_or_comma_separated(text: str) -> None:
    """Topics may be listed in whichever way the deployment finds easier."""
    settings = load_settings(None, {}, {"STRIPSIGHT_KAFKA__FRAME_TOPICS": text})
    assert settings.kafka.frame_topics == ["frames.a", "frames.b"]


def test_broken_json_is_named_with_its_place() -> None:
    """The variable and the character are told."""
    with pytest.raises(
        SettingsError, match=r"environment STRIPSIGHT_CAMERAS\): is not valid JSON: .* \(character 5\)"
    ):
        load_settings(None, {}, {"STRIPSIGHT_CAMERAS": '{"a"}'})


@given(
    names=st.lists(st.text(st.sampled_from("AaKkLlIiNnEe_01")), max_size=3),
    values=st.lists(st.text() | st.recursive(st.none() | st.floats(), st.lists).map(json.dumps), max_size=3),
)
def test_any_variables_are_settings_or_a_settings_error(names: list[str], values: list[str]) -> None:
    """Whatever the environment holds, nothing but a SettingsError comes of it."""
    environ = {f"STRIPSIGHT_{name}": value for name, value in zip(names, values, strict=False)}
    with contextlib.suppress(SettingsError):
        load_settings(None, {}, environ)
