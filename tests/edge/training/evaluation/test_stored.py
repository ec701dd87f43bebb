"""Detections in files."""

from collections.abc import Callable
from pathlib import Path

import msgspec
import numpy as np
import pytest

from edge.errors import DatasetError
from edge.training.evaluation.judge import Origin, evaluate_detections
from edge.training.evaluation.labelled import LabelledSet
from edge.training.evaluation.record import DETECTIONS_FILE, EVALUATION_FILE, read_detections, read_evaluation
from edge.training.evaluation.stored import pool, to_stored, write
from edge.training.samples import Sample
from edge.vision.detections import Detections

NAMES = ("pit", "scratch")


def written(folder: Path, frames: list[Sample], found: list[Detections]) -> Path:
    """Evaluate and write; the file of detections."""
    evaluation = evaluate_detections(frames, found, NAMES, origin=Origin(model_name="m"))
    write(folder, evaluation, frames, found)
    return folder / DETECTIONS_FILE


@pytest.mark.parametrize("seed", range(4))
def test_detections_survive_their_file(chance_frames: Callable, tmp_path: Path, seed: int) -> None:
    """Evaluated again they give the same figures."""
    frames, found = chance_frames(seed)
    file = written(tmp_path, frames, found)
    pooled = pool([file], LabelledSet("set", NAMES, tuple(frames)))
    again = evaluate_detections(
        pooled.frames.frames, pooled.found, NAMES, origin=Origin(model_name=", ".join(pooled.models))
    )
    assert again == read_evaluation(tmp_path)


def test_the_format_is_cocos(frame: Callable, detections: Callable, square: Callable) -> None:
    """Ids from 1, boxes x y width height, compressed run lengths of the whole frame."""
    (entry,) = to_stored([frame(name="a.jpg")], [detections((square(3, 4), 0.5, 1))])
    assert msgspec.to_builtins(entry) == {
        "image_id": 1,
        "file_name": "a.jpg",
        "category_id": 2,
        "bbox": (3.0, 4.0, 10.0, 10.0),
        "score": 0.5,
        "segmentation": {"size": (64, 64), "counts": entry.segmentation.counts},
    }
    (without,) = to_stored([frame()], [detections((square(0), 0.5, 1), masks=False)])
    assert "segmentation" not in msgspec.to_builtins(without)


def test_files_of_several_folds_are_pooled(chance_frames: Callable, tmp_path: Path) -> None:
    """Each frame comes from one file, also where nothing was found."""
    frames, found = chance_frames(3)
    found[0] = Detections(
        np.zeros((0, 4), np.float32), np.zeros(0, np.float32), np.zeros(0, np.int64), masks=()
    )
    files = [written(tmp_path / "0", frames[:1], found[:1]), written(tmp_path / "1", frames[1:], found[1:])]
    pooled = pool(files, LabelledSet("set", NAMES, tuple(frames)))
    assert [frame.name for frame in pooled.frames.frames] == [frame.name for frame in frames]
    assert pooled.folds == [str(files[0])] + [str(files[1])] * (len(frames) - 1)
    evaluation = evaluate_detections(frames, pooled.found, NAMES, folds=pooled.folds)
    assert evaluation.folds is not None
    assert evaluation.cross_tuned is not None
    assert evaluation.cross_tuned.parts == 2


def test_a_frame_of_two_files_is_refused(chance_frames: Callable, tmp_path: Path) -> None:
    """Else it would count twice."""
    frames, found = chance_frames(3)
    files = [written(tmp_path / name, frames, found) for name in ("a", "b")]
    with pytest.raises(DatasetError, match="is about too"):
        pool(files, LabelledSet("set", NAMES, tuple(frames)))


def test_several_files_have_to_tell_their_frames(chance_frames: Callable, tmp_path: Path) -> None:
    """Without evaluation.json beside them nobody knows about frames without a detection."""
    frames, found = chance_frames(3)
    files = [written(tmp_path / "a", frames[:1], found[:1]), written(tmp_path / "b", frames[1:], found[1:])]
    (tmp_path / "b" / EVALUATION_FILE).unlink()
    with pytest.raises(DatasetError, match="is not beside it"):
        pool(files, LabelledSet("set", NAMES, tuple(frames)))
    assert len(pool(files[1:], LabelledSet("set", NAMES, tuple(frames[1:]))).found) == len(frames) - 1


@pytest.fixture
def one_detection(frame: Callable, detections: Callable, square: Callable) -> tuple[Sample, Detections]:
    """A frame with a detection."""
    return frame(), detections((square(0), 0.5, 0))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"file_name": "other.jpg"}, "other.jpg, which is no frame of set"),
        ({"category_id": 3}, "detection 1 is of class 3, not 1 to 2"),
        ({"segmentation": {"size": [64, 63], "counts": "0"}}, "on frame.jpg: the mask is for 63x64 px"),
        ({"segmentation": {"size": [64, 64], "counts": "zzz"}}, "on frame.jpg: "),
        ({"score": "high"}, "Expected `float`"),
    ],
)
def test_a_file_that_does_not_fit_is_refused(
    one_detection: tuple[Sample, Detections], tmp_path: Path, change: dict, message: str
) -> None:
    """File and culprit are named."""
    frames = [one_detection[0]]
    file = written(tmp_path, frames, [one_detection[1]])
    (entry,) = read_detections(file)
    file.write_bytes(msgspec.json.encode([{**msgspec.to_builtins(entry), **change}]))
    with pytest.raises(DatasetError, match=message) as error:
        pool([file], LabelledSet("set", NAMES, tuple(frames)))
    assert str(file) in str(error.value)
