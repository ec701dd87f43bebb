"""The laws of the offset ledger."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.bus.ledger import OffsetLedger, TopicPartition
from edge.errors import OffsetError

PARTITION = TopicPartition("frames.cam1", 0)
OTHER = TopicPartition("frames.cam2", 0)

offsets_with_gaps = st.lists(st.integers(0, 200), unique=True, min_size=1, max_size=20).map(sorted)


@st.composite
def runs(draw: st.DrawFn) -> list[tuple[str, int]]:
    """A partition's life: frames opened in order and done in any, interleaved."""
    to_open, in_flight, steps = draw(offsets_with_gaps), [], []
    while to_open or in_flight:
        if to_open and (not in_flight or draw(st.booleans())):
            in_flight.append(to_open.pop(0))
            steps.append(("open", in_flight[-1]))
        else:
            steps.append(("done", in_flight.pop(draw(st.integers(0, len(in_flight) - 1)))))
    return steps


@given(runs())
def test_positions_grow_and_stand_before_all_that_is_in_flight(steps: list[tuple[str, int]]) -> None:
    """At every moment: behind all that is done contiguously, before all that is in flight, never back."""
    ledger, in_flight, opened, last = OffsetLedger(), set(), [], None
    for step, offset in steps:
        if step == "open":
            ledger.open(PARTITION, offset)
            in_flight.add(offset)
            opened.append(offset)
        else:
            ledger.done(PARTITION, offset)
            in_flight.remove(offset)
        position = ledger.position(PARTITION)
        assert position is not None
        assert all(position <= offset for offset in in_flight)
        finished = [offset for offset in opened if offset < min(in_flight, default=opened[-1] + 1)]
        assert position == (finished[-1] + 1 if finished else opened[0])
        assert last is None or position >= last
        assert (ledger.in_flight, ledger.idle.is_set()) == (len(in_flight), not in_flight)
        last = position


@given(runs())
def test_when_all_is_done_everything_is_committed_once(steps: list[tuple[str, int]]) -> None:
    """Committed after every step, positions end behind the last frame, and nothing is committed twice."""
    ledger, accepted = OffsetLedger(), []
    for step, offset in steps:
        getattr(ledger, step)(PARTITION, offset)
        positions = ledger.committable()
        ledger.committed(positions)
        accepted += positions.values()
        assert ledger.committable() == {}
    assert accepted == sorted(set(accepted))
    assert accepted[-1] == max(offset for _, offset in steps) + 1


@given(offsets_with_gaps, st.data())
def test_forgotten_frames_may_still_be_done(offsets: list[int], data: st.DataObject) -> None:
    """After a rebalance, late frames end without effect, whether or not they were read again meanwhile."""
    ledger = OffsetLedger()
    for offset in offsets:
        ledger.open(PARTITION, offset)
    ledger.forget([PARTITION])
    assert (ledger.in_flight, ledger.committable(), ledger.position(PARTITION)) == (0, {}, None)
    again = data.draw(st.lists(st.sampled_from(offsets), unique=True).map(sorted))
    for offset in again:
        ledger.open(PARTITION, offset)
    for offset in data.draw(st.permutations(offsets + again)):
        ledger.done(PARTITION, offset)
    assert ledger.in_flight == 0
    with pytest.raises(OffsetError):
        ledger.done(PARTITION, offsets[0])


@pytest.mark.parametrize("again", [5, 4])
def test_opening_backwards_is_an_error(again: int) -> None:
    """An offset is opened once, and none before it later."""
    ledger = OffsetLedger()
    ledger.open(PARTITION, 5)
    with pytest.raises(OffsetError, match=rf"frames\.cam1:0:{again}: opened after 5"):
        ledger.open(PARTITION, again)


def test_finishing_what_is_not_open_is_an_error() -> None:
    """A frame that was never taken in, or is done already, cannot be done."""
    ledger = OffsetLedger()
    ledger.open(PARTITION, 5)
    ledger.open(PARTITION, 6)
    ledger.done(PARTITION, 6)
    for partition, offset in ((PARTITION, 4), (PARTITION, 6), (OTHER, 5)):
        with pytest.raises(OffsetError, match=f":{offset}: finished, but not in flight"):
            ledger.done(partition, offset)


def test_commits_never_go_backwards() -> None:
    """A position before one that Kafka has accepted is refused."""
    ledger = OffsetLedger()
    for offset in (0, 1):
        ledger.open(PARTITION, offset)
        ledger.done(PARTITION, offset)
    ledger.committed({PARTITION: 2})
    with pytest.raises(OffsetError, match="committed after 2"):
        ledger.committed({PARTITION: 1})


def test_a_commit_that_ends_after_its_partition_was_given_up_changes_nothing() -> None:
    """What Kafka accepts late says nothing about a later assignment of the partition."""
    ledger = OffsetLedger()
    ledger.open(PARTITION, 7)
    ledger.done(PARTITION, 7)
    late = ledger.committable()
    ledger.forget([PARTITION])
    ledger.committed(late)
    ledger.open(PARTITION, 7)
    ledger.committed(late)
    ledger.done(PARTITION, 7)
    assert ledger.committable() == {PARTITION: 8}


def test_partitions_are_independent() -> None:
    """What is in flight of one camera does not hold up the commits of another."""
    ledger = OffsetLedger()
    ledger.open(PARTITION, 0)
    ledger.open(OTHER, 3)
    ledger.done(OTHER, 3)
    assert ledger.committable() == {OTHER: 4}


def test_only_what_is_next_in_its_partition_is_due() -> None:
    """What was left over from an assignment that ended cannot get ahead of what is read again."""
    ledger = OffsetLedger()
    assert ledger.due(PARTITION, [3]) == []
    for offset in (3, 4, 6):
        ledger.open(PARTITION, offset)
    assert ledger.due(PARTITION, [3, 4]) == [3, 4]
    assert ledger.due(PARTITION, [1, 3]) == [3]
    assert ledger.due(PARTITION, [4, 6]) == []
    assert ledger.due(PARTITION, [3, 4, 3, 4]) == [3, 4]
    assert ledger.due(PARTITION, [4, 6, 3]) == [3, 4, 6]
    assert ledger.due(PARTITION, [6, 3]) == [3]
    ledger.done(PARTITION, 3)
    assert ledger.due(PARTITION, [3, 4, 6]) == [4, 6]
    ledger.forget([PARTITION])
    assert ledger.due(PARTITION, [4, 6]) == []


def test_a_settled_position_finishes_what_lies_before_it_and_needs_no_commit() -> None:
    """Results and position were committed together, by us or by whoever had the partition meanwhile."""
    ledger = OffsetLedger()
    for offset in (3, 4, 6):
        ledger.open(PARTITION, offset)
    assert ledger.settle(PARTITION, 5) == [3, 4]
    assert (ledger.in_flight, ledger.position(PARTITION), ledger.committable()) == (1, 5, {})
    assert ledger.settle(PARTITION, 5) == []
    assert ledger.settle(PARTITION, 9) == [6]
    assert (ledger.newest(PARTITION), ledger.committable()) == (8, {})
    with pytest.raises(OffsetError):
        ledger.open(PARTITION, 8)
    ledger.open(PARTITION, 9)


@given(runs(), st.integers(0, 210))
def test_settling_never_goes_back(steps: list[tuple[str, int]], position: int) -> None:
    """Whatever is settled in between, no position moves back and nothing behind it stays in flight."""
    ledger = OffsetLedger()
    for step, offset in steps[: len(steps) // 2]:
        getattr(ledger, step)(PARTITION, offset)
    before = ledger.position(PARTITION) or 0
    ledger.settle(PARTITION, position)
    after = ledger.position(PARTITION) or 0
    assert after >= before
    assert ledger.due(PARTITION, range(position)) == []
