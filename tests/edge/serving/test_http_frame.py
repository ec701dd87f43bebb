"""Frames in HTTP requests."""

from urllib.parse import quote

from hypothesis import given
from hypothesis import strategies as st

from edge.contracts.cloudevents import HEADER_OF_FIELD, decode_headers
from edge.contracts.frame import FrameHeaders
from edge.serving.http_frame import CAMERA, HEADER_NAMES, raw_frame, with_unnamed_camera
from edge.settings import CameraSettings

_NAMES = st.text(st.characters(exclude_categories=["Cc", "Cs"]), min_size=1, max_size=40)


def test_every_field_of_a_frame_may_be_said_over_http() -> None:
    """Each header of Kafka has one over HTTP, the media type apart, which HTTP has itself."""
    assert len(HEADER_NAMES) == len(HEADER_OF_FIELD) - 1
    assert set(HEADER_NAMES) >= {"ce-camera", "ce-positionmm", "ce-pitchxmm", "ce-time"}


@given(camera=_NAMES, coil=_NAMES, position=st.floats(-1e9, 1e9))
def test_what_is_said_over_http_means_what_it_means_on_kafka(camera: str, coil: str, position: float) -> None:
    """Percent-encoded values come out as they were, whatever characters a name has."""
    said = {"CE-Camera": quote(camera), "ce-coil": quote(coil, safe=""), "ce-positionmm": f"{position!r}"}

    headers = decode_headers(raw_frame(b"image", said.items(), content_type="image/png").headers)

    assert headers == FrameHeaders(
        camera=camera, coil=coil, position_mm=position, sequence=0, content_type="image/png"
    )


@given(st.lists(st.tuples(st.sampled_from(HEADER_NAMES), st.binary(max_size=20)), max_size=5), st.binary())
def test_an_id_is_made_of_all_that_tells_a_frame(said: list[tuple[str, bytes]], image: bytes) -> None:
    """It does not depend on the order of headers, and any other image or word makes another."""
    headers = {name: value.decode("latin-1") for name, value in said}
    frame = raw_frame(image, headers.items())

    assert raw_frame(image, reversed(headers.items())).origin == frame.origin
    assert raw_frame(image + b"!", headers.items()).origin != frame.origin
    other = headers | {"ce-coil": headers.get("ce-coil", "") + "X"}
    assert raw_frame(image, other.items()).origin != frame.origin
    assert 0 <= frame.origin.offset < 2**63


def test_of_a_repeated_header_the_last_counts() -> None:
    """A part of a form says more than the request that it is in; what is not ours is passed over."""
    said = [("ce-camera", "of the request"), ("cookie", "x"), ("ce-camera", "of the part")]

    headers = dict(raw_frame(b"image", said).headers)

    assert headers == {"ce_camera": b"of the part", "ce_sequence": b"0"}


def test_a_value_that_is_no_text_is_left_to_the_contract() -> None:
    """Servers hand on bytes that are not UTF-8 as surrogates: they become the bytes that they were."""
    assert dict(raw_frame(b"", [("ce-coil", "\udcff")]).headers)["ce_coil"] == b"\xff"


def test_the_settings_may_know_the_camera_that_nobody_names() -> None:
    """Without them, a pixel of an unnamed camera is taken to show 0.2 mm."""
    assert with_unnamed_camera({})[CAMERA].pitch_x_mm == 0.2
    known = CameraSettings(pitch_x_mm=0.5, pitch_y_mm=0.5)
    assert with_unnamed_camera({CAMERA: known})[CAMERA] == known
