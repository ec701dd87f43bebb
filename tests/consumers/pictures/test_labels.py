"""Places of labels."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from consumers.pictures.labels import Rect, place_labels

SIZE = (100.0, 20.0)


def place(*boxes: Rect, width: float = 1600, height: float = 256) -> list[Rect | None]:
    """Place labels of one size beside boxes."""
    return place_labels(boxes, [SIZE] * len(boxes), width=width, height=height, gap=3)


def test_a_label_stands_above_its_box() -> None:
    """Where there is room, a label begins at the box's left edge, just above it."""
    assert place(Rect(300, 100, 200, 50)) == [Rect(300, 77, *SIZE)]


def test_a_label_goes_below_where_there_is_no_room_above() -> None:
    """A box at the upper edge is not covered by its own label."""
    assert place(Rect(300, 5, 200, 50)) == [Rect(300, 58, *SIZE)]


def test_a_label_goes_beside_a_box_of_full_height() -> None:
    """A streak over the whole frame has its label at its right."""
    assert place(Rect(300, 0, 30, 256)) == [Rect(333, 3, *SIZE)]


def test_labels_of_neighbours_do_not_cover_each_other() -> None:
    """Two boxes side by side get labels that can both be read."""
    first, second = place(Rect(300, 100, 20, 50), Rect(330, 100, 20, 50))

    assert first is not None
    assert second is not None
    assert first.overlap(second) == 0


def test_a_crowd_leaves_out_the_labels_of_the_least_important() -> None:
    """Where a hundred boxes lie on one another, the best ones can still be read."""
    places = place(*[Rect(300, 100, 20, 50)] * 100)

    assert places[0] is not None
    assert places[-1] is None


@given(
    st.lists(
        st.builds(Rect, st.floats(0, 1500), st.floats(0, 240), st.floats(1, 1600), st.floats(1, 256)),
        max_size=20,
    )
)
def test_labels_lie_within_the_frame_and_apart(boxes: list[Rect]) -> None:
    """However boxes lie, no label is cut off and none covers another."""
    places = place(*boxes)

    assert len(places) == len(boxes)
    shown = [spot for spot in places if spot is not None]
    assert all(0 <= spot.x <= 1500 and 0 <= spot.y <= 236 for spot in shown)
    assert all(one.overlap(other) == 0 for one, other in itertools.combinations(shown, 2))
