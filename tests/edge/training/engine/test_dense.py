"""The auxiliary head that labels pixels."""

import torch

from edge.training.engine.dense import DenseHead, dense_loss, dense_targets
from edge.training.engine.losses import Target


def target() -> Target:
    """One defect of class 1 on 16x24 px."""
    masks = torch.zeros((1, 16, 24), dtype=torch.bool)
    masks[0, 4:12, 8:18] = True
    return Target(torch.tensor([[8.0, 4, 18, 12]]), torch.tensor([1]), masks)


def test_targets_are_the_covered_parts_of_cells() -> None:
    """A picture smaller than its batch is empty beyond its edge; half a cell counts half."""
    wanted = dense_targets([target()], (1, 3, 4, 8), 4)
    assert wanted.shape == (1, 3, 4, 8)
    assert wanted[0, 1].sum() == 8 * 10 / 16
    assert wanted[0, 1, 1, 4] == 0.5
    assert wanted[0, [0, 2]].sum() == 0


def test_the_loss_falls_to_nothing_with_the_truth() -> None:
    """And is larger the other way round; a clean batch has a loss too, that pushes everything down."""
    wanted = (dense_targets([target()], (1, 3, 4, 8), 4) >= 0.9).float()
    right, wrong = 20 * (2 * wanted - 1), 20 * (1 - 2 * wanted)
    assert dense_loss(right, wanted) < 0.01
    assert dense_loss(wrong, wanted) > 5
    clean = torch.zeros((1, 3, 4, 8), requires_grad=True)
    dense_loss(clean, torch.zeros(1, 3, 4, 8)).backward()
    assert clean.grad is not None
    assert (clean.grad > 0).all()


def test_all_levels_but_the_last_have_a_say() -> None:
    """Logits come at the finest level's size."""
    head = DenseHead({"p3": 8, "p4": 16, "p5": 32, "p6": 64}, in_channels=5, num_classes=2)
    features = {f"p{n}": torch.randn(2, 5, 64 >> n, 128 >> n) for n in range(3, 6)}
    assert head(features).shape == (2, 2, 8, 16)
    assert (head.stride, head.levels) == (8, ("p3", "p4", "p5"))
