from datetime import UTC, datetime

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from edge.contracts import FrameMetadata, FrameOrigin, FrameReference, ModelReference
from edge.contracts.results import Box, defect_id

origins = st.builds(
    FrameOrigin,
    topic=st.from_regex(r"[A-Za-z0-9._-]{1,20}", fullmatch=True),
    partition=st.integers(0, 2**31 - 1),
    offset=st.integers(0, 2**63 - 1),
)
METADATA = FrameMetadata(
    line="line-1",
    camera="cam1",
    side="bottom",
    sequence=7,
    position_mm=0.0,
    offset_mm=0.0,
    pitch_x_mm=1.0,
    pitch_y_mm=1.0,
    captured_at=datetime(2026, 5, 4, tzinfo=UTC),
    content_type="image/png",
    coil="C1",
)


@given(origins, st.integers(0, 10_000))
def test_ids_can_be_taken_apart_again(origin: FrameOrigin, index: int) -> None:
    """No two frames and no two defects share an id, for it tells topic, partition, offset and index."""
    frame_id, _, shown_index = defect_id(origin.id, index).partition("#")
    topic, partition, offset = frame_id.split(":")
    assert FrameOrigin(topic, int(partition), int(offset)) == origin
    assert int(shown_index) == index


@given(origins)
def test_ids_do_not_depend_on_the_reading(origin: FrameOrigin) -> None:
    """A frame read again, by another process, has the same id."""
    again = FrameOrigin(str(origin.topic), origin.partition, origin.offset)
    assert again.id == origin.id


def test_reference_tells_the_frame() -> None:
    """A result refers to the frame's place in Kafka and on the line."""
    origin = FrameOrigin("frames.cam1", 0, 42)
    assert FrameReference.of(origin, METADATA) == FrameReference(
        id="frames.cam1:0:42",
        topic="frames.cam1",
        partition=0,
        offset=42,
        line="line-1",
        camera="cam1",
        captured_at=METADATA.captured_at,
        coil="C1",
        side="bottom",
        sequence=7,
    )


def test_results_are_keyed_by_coil_else_by_camera() -> None:
    """One coil's results keep their order; without a coil one camera's do."""
    reference = FrameReference.of(FrameOrigin("t", 0, 0), METADATA)
    assert reference.key == b"C1"
    assert msgspec.structs.replace(reference, coil=None).key == b"cam1"


def test_area_of_a_box_is_width_times_height() -> None:
    """Axes do not get mixed up."""
    assert Box(1.0, 2.0, 4.0, 7.0).area == 15.0


def test_a_model_of_which_nobody_told_the_precision_is_read() -> None:
    """Records from before the field was added."""
    old = msgspec.json.decode(b'{"name": "m", "version": "1a2b"}', type=ModelReference)
    assert old == ModelReference("m", "1a2b", precision=None)
