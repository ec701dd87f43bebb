import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as stnp

from edge.contracts import Mask
from edge.errors import RecordError

Bitmap = npt.NDArray[np.bool_]

shapes = stnp.array_shapes(min_dims=2, max_dims=2, min_side=0, max_side=20)
bitmaps = stnp.arrays(np.bool_, shapes)


@given(bitmaps)
def test_mask_reads_back_as_it_was_written(bitmap: Bitmap) -> None:
    """Encoding loses nothing, of masks without pixels and without area too."""
    decoded = Mask.encode(bitmap).decode()
    assert decoded.dtype == np.bool_
    assert np.array_equal(decoded, bitmap)


@given(bitmaps)
def test_runs_are_cocos(bitmap: Bitmap) -> None:
    """Runs go down the columns, add up to the size, and only the first, of zeros, may be empty."""
    mask = Mask.encode(bitmap)
    assert (mask.height, mask.width) == bitmap.shape
    assert sum(mask.counts) == bitmap.size
    assert all(mask.counts[1:])
    assert mask.area_px == bitmap.sum()


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # pycocotools is older than numpy 2
@given(bitmaps.filter(lambda bitmap: bitmap.size > 0))
def test_pycocotools_reads_the_same_mask(bitmap: Bitmap) -> None:
    """What we publish is what the field's reference implementation understands."""
    coco = pytest.importorskip("pycocotools.mask", reason="pycocotools is not installed")
    mask = Mask.encode(bitmap)
    uncompressed = {"size": [mask.height, mask.width], "counts": mask.counts}
    runs = coco.frPyObjects(uncompressed, mask.height, mask.width)
    assert np.array_equal(coco.decode(runs).astype(bool), bitmap)
    assert coco.area(runs) == mask.area_px


@pytest.mark.parametrize(
    ("bitmap", "counts"),
    [
        (np.zeros((2, 3), bool), [6]),
        (np.ones((2, 3), bool), [0, 6]),
        (np.array([[True, False], [False, False]]), [0, 1, 3]),
        (np.array([[False, True], [False, False]]), [2, 1, 1]),
        (np.array([[False, False], [True, False]]), [1, 1, 2]),
        (np.zeros((0, 3), bool), [0]),
        (np.zeros((3, 0), bool), [0]),
    ],
)
def test_runs_of_known_masks(bitmap: Bitmap, counts: list[int]) -> None:
    """Empty, full and single-pixel masks have the runs that the format prescribes."""
    assert Mask.encode(bitmap).counts == counts


def test_place_in_the_frame_is_kept() -> None:
    """A mask knows where its first pixel lies."""
    mask = Mask.encode(np.ones((1, 1), bool), x=801, y=12)
    assert (mask.x, mask.y) == (801, 12)


def test_view_of_a_larger_array_is_encoded_as_it_looks() -> None:
    """The crop may be a strided view: memory order does not matter."""
    picture = np.zeros((10, 10), bool)
    picture[2:5, 3:4] = True
    assert Mask.encode(picture[1:6, 2:6]).area_px == 3
    assert np.array_equal(Mask.encode(picture.T[::2]).decode(), picture.T[::2])


@given(st.lists(st.integers(0, 10), max_size=5), st.integers(0, 5), st.integers(0, 5))
def test_runs_that_do_not_fit_the_size_are_a_record_error(counts: list[int], width: int, height: int) -> None:
    """A damaged mask is refused with both sizes, never decoded into something else."""
    mask = Mask(x=0, y=0, width=width, height=height, counts=counts)
    if sum(counts) == width * height:
        assert mask.decode().shape == (height, width)
    else:
        with pytest.raises(RecordError, match=f"{sum(counts)} pixels, not {width} x {height}"):
            mask.decode()
