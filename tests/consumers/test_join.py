"""Frames and results brought together."""

import random
from collections.abc import Callable

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from consumers.join import FrameJoin, InspectedFrame
from edge.contracts import Defect, Inspection, RawFrame

MakeFrame = Callable[..., RawFrame]
MakeInspection = Callable[..., Inspection]
MakeDefect = Callable[..., Defect]


def add(join: FrameJoin, record: RawFrame | Inspection | Defect) -> list[InspectedFrame]:
    """Add a record of any kind."""
    match record:
        case RawFrame():
            return join.add_frame(record)
        case Inspection():
            return join.add_inspection(record)
        case Defect():
            return join.add_defect(record)


def test_a_frame_leaves_with_all_its_defects(
    make_frame: MakeFrame, make_inspection: MakeInspection, make_defect: MakeDefect
) -> None:
    """Only when as many defects are there as the inspection says, in the order of their index."""
    join, frame, inspection = FrameJoin(), make_frame(1), make_inspection(1, defects=2)

    assert join.add_frame(frame) == []
    assert join.add_defect(make_defect(1, 1)) == []
    assert join.add_inspection(inspection) == []
    assert join.add_defect(make_defect(1, 0)) == [
        InspectedFrame(inspection, (make_defect(1, 0), make_defect(1, 1)), frame)
    ]
    assert (join.waiting, join.frame_bytes) == (0, 0)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    defects=st.lists(st.integers(0, 3), min_size=1, max_size=8),
    order=st.randoms(use_true_random=False),
    repeats=st.integers(0, 10),
)
def test_each_frame_leaves_once_in_whatever_order_records_come(
    defects: list[int],
    order: random.Random,
    repeats: int,
    *,
    make_frame: MakeFrame,
    make_inspection: MakeInspection,
    make_defect: MakeDefect,
) -> None:
    """However three topics interleave, and whatever is processed twice, the books agree at the end."""
    records: list[RawFrame | Inspection | Defect] = []
    for offset, count in enumerate(defects):
        records += [make_frame(offset), make_inspection(offset, defects=count)]
        records += [make_defect(offset, index) for index in range(count)]
    records += order.choices(records, k=repeats)
    order.shuffle(records)
    join = FrameJoin()

    left = [inspected for record in records for inspected in add(join, record)]

    assert sorted(each.inspection.frame.offset for each in left) == list(range(len(defects)))
    for each in left:
        assert [defect.index for defect in each.defects] == list(range(each.inspection.defects))
        assert each.frame is not None or not each.defects


def test_a_clean_frame_is_not_waited_for(make_frame: MakeFrame, make_inspection: MakeInspection) -> None:
    """Its inspection leaves at once, and the frame that comes later is not kept."""
    join = FrameJoin()

    assert [each.frame for each in join.add_inspection(make_inspection(1))] == [None]
    assert join.add_frame(make_frame(1)) == []
    assert (join.waiting, join.frame_bytes) == (0, 0)


def test_frames_beyond_the_memory_are_dropped_and_their_results_are_not(
    make_frame: MakeFrame, make_inspection: MakeInspection, make_defect: MakeDefect
) -> None:
    """The oldest frame goes first; its defects leave without it."""
    join = FrameJoin(max_frame_bytes=250)
    for offset in range(3):
        join.add_frame(make_frame(offset, value=bytes(100)))

    assert join.frame_bytes == 200
    for offset, frame_is_there in enumerate((False, True, True)):
        join.add_inspection(make_inspection(offset, defects=1))
        (left,) = join.add_defect(make_defect(offset))
        assert (left.frame is not None) is frame_is_there
        assert len(left.defects) == 1


def test_waiting_results_are_bounded(make_inspection: MakeInspection, make_defect: MakeDefect) -> None:
    """A result whose frame never comes leaves without it when others queue up behind it."""
    join = FrameJoin(max_waiting=2)
    for offset in range(2):
        join.add_inspection(make_inspection(offset, defects=1))
        assert join.add_defect(make_defect(offset)) == []

    left = join.add_inspection(make_inspection(2, defects=1))

    assert [(each.inspection.frame.offset, each.frame) for each in left] == [(0, None)]
    assert join.waiting == 2


def test_a_frame_that_was_forgotten_can_still_be_inspected(
    make_frame: MakeFrame, make_inspection: MakeInspection
) -> None:
    """However late the daemon is, an inspection is never swallowed."""
    join = FrameJoin(max_waiting=1)
    join.add_frame(make_frame(0))
    join.add_frame(make_frame(1))

    assert [each.inspection.frame.offset for each in join.add_inspection(make_inspection(0))] == [0]
