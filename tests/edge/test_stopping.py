"""Work that an orderly end cuts short."""

import asyncio

import pytest

from edge.stopping import beside, together, unless_stopped


async def test_work_that_ends_in_time_gives_its_result() -> None:
    """Without a stop nothing is cut short."""

    async def work() -> int:
        return 7

    assert await unless_stopped(asyncio.Event(), work()) == 7


async def test_a_stop_cancels_the_work_and_waits_for_it() -> None:
    """What the work has to tidy up is done when the call returns."""
    stop, tidied = asyncio.Event(), asyncio.Event()

    async def work() -> None:
        stop.set()
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            tidied.set()

    assert await unless_stopped(stop, work()) is None
    assert tidied.is_set()


async def test_the_works_error_comes_through() -> None:
    """A failure is no stop."""

    async def work() -> None:
        raise ValueError("bad")

    with pytest.raises(ValueError, match="bad"):
        await unless_stopped(asyncio.Event(), work())


async def test_work_beside_a_block_ends_with_it() -> None:
    """It runs while the block does, is cancelled at its end, and has tidied up then."""
    begun, tidied = asyncio.Event(), asyncio.Event()

    async def work() -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            tidied.set()

    async with beside(work()):
        await begun.wait()
        assert not tidied.is_set()
    assert tidied.is_set()


async def test_the_error_of_work_beside_a_block_comes_through_at_its_end() -> None:
    """It is not lost, though the block itself went well."""

    async def work() -> None:
        raise ValueError("bad")

    with pytest.raises(ValueError, match="bad"):
        async with beside(work()):
            await asyncio.sleep(0)


async def test_the_error_of_a_block_comes_through() -> None:
    """The work beside it ends all the same."""
    work = asyncio.Event()
    with pytest.raises(ValueError, match="bad"):
        async with beside(work.wait()):
            raise ValueError("bad")


class Tidying:
    """Work without an end, which takes so many turns of the loop to tidy up."""

    def __init__(self, turns: int) -> None:
        self.turns = turns
        self.is_tidy = False

    async def run(self) -> None:
        """Wait for ever; tidy up when that is over."""
        try:
            await asyncio.Event().wait()
        finally:
            for _ in range(self.turns):
                await asyncio.sleep(0)
            self.is_tidy = True


async def test_works_that_are_cancelled_together_have_all_tidied_up() -> None:
    """Whoever waits for the end of the whole finds nothing open, however unlike the works are."""
    works = [Tidying(turns) for turns in (1, 5, 20)]
    whole = asyncio.create_task(together(work.run() for work in works))
    await asyncio.sleep(0.01)
    whole.cancel()
    await asyncio.wait([whole])
    assert whole.cancelled()
    assert [work.is_tidy for work in works] == [True, True, True]


async def test_the_first_error_ends_works_that_go_on_together() -> None:
    """It comes as it is, and not as a group of one."""
    other = Tidying(3)

    async def fail() -> None:
        raise ValueError("bad")

    with pytest.raises(ValueError, match="bad"):
        await together([other.run(), fail()])
    assert other.is_tidy
