"""Records of a frame topic with anything in key, headers, time stamp and value."""

from hypothesis import strategies as st

from edge.contracts.cloudevents import FIELD_OF_HEADER
from edge.contracts.frame import FrameOrigin, RawFrame
from edge.settings import CameraSettings
from tests.support.hostile.images import images

CAMERAS = {
    "cam1": CameraSettings(pitch_x_mm=0.5, pitch_y_mm=0.25, offset_mm=800),
    "raw": CameraSettings(
        pitch_x_mm=0.5, pitch_y_mm=0.25, width_px=8, height_px=63, content_type="image/x-mono8"
    ),
}
"""The cameras that the settings know; what else calls itself a camera has to tell its pitch."""

_NUMBERS = ["0", "1", "-1", "+7", "0.25", "1e3", "-0.0", "9" * 19, "9" * 400, "1e309", "1e-400"]
_NO_NUMBERS = ["", "inf", "nan", "Infinity", "0x10", "1_000", " 1", "1 ", "1,5", "true", "null"]
_OTHER_DIGITS = ["\u0663", "\uff11\uff12", "\xb2"]
_TIMES = ["2026-05-04T12:00:00Z", "9999-12-31T23:59:59-23:59", "0001-01-01T00:00:00+23:59"]
_NO_TIMES = ["2026-02-30T00:00:00Z", "2026-05-04T12:00:00", "1767225600", "2016-12-31T23:59:60Z"]
_NAMES = ["cam1", "raw", "C-1", "top", "bottom", "größe", "\u202egnp", "x" * 200]
_NO_NAMES = ["a\nb", "\x1b[31m", "\x7f", "\x85", "x" * 201]
_TYPES = ["image/jpeg", "image/png", "image/x-mono8", "IMAGE/JPG; q=1", "application/octet-stream"]
_NO_TYPES = ["text/html", ";", "image/gif", "image/jpeg\0"]
_SAYINGS = [*_TIMES, *_NO_TIMES, *_NAMES, *_NO_NAMES, *_TYPES, *_NO_TYPES]

_numbers = (
    st.sampled_from([*_NUMBERS, *_NO_NUMBERS, *_OTHER_DIGITS]) | st.integers().map(str) | st.floats().map(str)
)
_texts = st.sampled_from(_SAYINGS) | _numbers | st.text(max_size=30)
_long = st.builds(
    lambda text, times: (text or "9") * times, st.text(max_size=3), st.sampled_from([300, 100_000])
)
_values = st.one_of(_texts, _texts, _texts, _long).map(str.encode) | st.binary(max_size=40)
_our_headers = st.sampled_from(sorted(FIELD_OF_HEADER))
_headers = st.tuples(_our_headers | st.text(max_size=12), _values)
_good_headers = st.sampled_from(
    [
        (),
        (),
        (("content-type", b"image/png"), ("ce_coil", b"C-1"), ("ce_side", b"top"), ("ce_sequence", b"7")),
        (
            ("ce_camera", b"new"),
            ("ce_pitchxmm", b"0.5"),
            ("ce_pitchymm", b"1000"),
            ("ce_line", "größe".encode()),
        ),
        (("content-type", b"image/x-mono8"), ("ce_widthpx", b"63"), ("ce_heightpx", b"8")),
        (("ce_sequence", b"%d" % (2**63 - 1)), ("ce_positionmm", b"-1e12"), ("ce_offsetmm", b"1E+12")),
    ]
)
_keys = st.integers(0, 9).flatmap(
    lambda one: st.binary(max_size=300) if one == 9 else st.sampled_from([*6 * [b"cam1"], b"raw", None])
)
_errors = st.integers(0, 49).flatmap(
    lambda one: st.text(st.characters(), max_size=99) if one == 49 else st.none()
)
_values_of_records = st.integers(0, 19).flatmap(
    lambda one: st.sampled_from([None, b"", bytes(504)]) if one == 19 else images()
)


@st.composite
def records(draw: st.DrawFn) -> RawFrame:
    """Mostly one part of a record is hostile, so that the others let it come through to the decoder."""
    origin = FrameOrigin(
        draw(st.sampled_from([*4 * ["frames.cam1"], "frames.raw", ".", "a", "frames." + 240 * "x"])),
        draw(st.integers(0, 2**31 - 1)),
        draw(st.integers(0, 2**63 - 1)),
    )
    headers = draw(_good_headers)
    if draw(st.integers(0, 3)) == 0:
        headers += tuple(draw(st.lists(_headers, max_size=6))) * draw(st.sampled_from([1, 1, 1, 1, 500]))
    return RawFrame(
        origin,
        timestamp_ms=draw(st.integers(-(2**63), 2**63 - 1) | st.just(1_777_000_000_000)),
        key=draw(_keys),
        headers=headers,
        value=draw(_values_of_records),
        error=draw(_errors),
    )
