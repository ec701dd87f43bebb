"""A bound on memory."""

import asyncio

from edge.pipeline.budget import Budget


async def test_who_wants_more_than_is_left_waits() -> None:
    """Taking goes on as soon as enough was given back, not before."""
    budget = Budget(100)
    await budget.take(60)
    waiting = asyncio.create_task(budget.take(60))
    await asyncio.sleep(0)
    assert not waiting.done()
    budget.give_back(10)
    await asyncio.sleep(0)
    assert not waiting.done()
    budget.give_back(20)
    await waiting


async def test_what_is_larger_than_the_budget_goes_alone() -> None:
    """A frame beyond the budget waits for all others, and then passes."""
    budget = Budget(100)
    await budget.take(1)
    huge = asyncio.create_task(budget.take(1000))
    await asyncio.sleep(0)
    assert not huge.done()
    budget.give_back(1)
    await huge
