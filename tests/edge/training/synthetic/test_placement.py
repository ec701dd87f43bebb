"""Where defects lie on the strip."""

import numpy as np

from edge.training.synthetic import NATURAL_COMBINATIONS
from edge.training.synthetic.placement import Ground, place_defects


def test_class_1_and_class_4_never_meet() -> None:
    """None of 12,568 real frames shows both."""
    assert not any({0, 3} <= set(combination) for combination in NATURAL_COMBINATIONS)


def test_places_are_on_steel_and_apart() -> None:
    """Boxes stay on the strip and keep a gap to each other."""
    rng = np.random.default_rng(6)
    ground = Ground(x0=300, x1=1250, height_px=256, side=-1)
    for _ in range(200):
        places = place_defects(NATURAL_COMBINATIONS, ground, rng)
        for index, place in enumerate(places):
            assert 300 <= place.x0 < place.x1 <= 1250
            assert 0 <= place.y0 < place.y1 <= 256
            assert not any(place.near(other) for other in places[:index])


def test_every_defective_frame_shows_something() -> None:
    """However narrow the steel in view is, the first component finds its place."""
    rng = np.random.default_rng(8)
    ground = Ground(x0=0, x1=41, height_px=256, side=1)
    assert all(place_defects(NATURAL_COMBINATIONS, ground, rng) for _ in range(100))


def test_class_2_keeps_near_the_edge() -> None:
    """Hairlines lie within a few hundred pixels of the strip's visible edge."""
    rng = np.random.default_rng(7)
    ground = Ground(x0=400, x1=1600, height_px=256, side=-1)
    offsets = [p.x0 - 400 for _ in range(300) for p in place_defects({(1,): 1.0}, ground, rng)]
    assert np.median(offsets) < 150


def test_class_2_is_rare_where_no_edge_is_in_view() -> None:
    """Nearly all real hairlines are seen beside the edge; in the mean of all strips their share is kept."""
    rng = np.random.default_rng(9)
    shares = []
    for side in (-1, 0):
        ground = Ground(0, 1600, 256, side)
        places = [place_defects({(1,): 0.3, (2,): 0.7}, ground, rng) for _ in range(600)]
        shares.append(np.mean([place[0].class_id == 1 for place in places]))
    assert shares[0] > 4 * shares[1] > 0
    assert np.mean(shares) == np.clip(np.mean(shares), 0.2, 0.36)
