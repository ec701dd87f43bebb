"""What becomes of inputs that do not fit together."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest

from edge.errors import DatasetError
from edge.training.evaluation.record import Fold, Folds, Spread
from edge.training.report.evaluation_part import EvaluationFolder, evaluation_part
from edge.training.report.examples import best_and_worst, examples
from edge.training.report.gather import gather


def test_an_evaluation_of_other_classes_is_refused(study: Any) -> None:
    """Both lists of classes stand in the error."""
    other = replace(study.dataset, class_names=("x", "y"))
    with pytest.raises(DatasetError, match=r"is about the classes .*the data set's are x, y"):
        gather(other, evaluation=study.evaluation)


@pytest.mark.parametrize("file", ["evaluation.json", "detections.json"])
def test_a_missing_or_broken_file_is_named(study: Any, tmp_path: Path, file: str) -> None:
    """The file's name and what is wrong with it."""
    for name in ("evaluation.json", "detections.json"):
        (tmp_path / name).write_bytes((study.evaluation / name).read_bytes())
    (tmp_path / file).write_text("{")
    with pytest.raises(DatasetError, match=file):
        EvaluationFolder.read(tmp_path, study.dataset.class_names)
    (tmp_path / file).unlink()
    with pytest.raises(DatasetError, match=f"{file}: cannot be read"):
        EvaluationFolder.read(tmp_path, study.dataset.class_names)


def test_a_set_without_frames_is_refused_and_one_without_defects_is_drawn(study: Any) -> None:
    """Of clean steel there is still something to see."""
    with pytest.raises(DatasetError, match="holds no frames"):
        gather(study.dataset.only([]))
    clean = [replace(frame, instances=()) for frame in study.dataset.frames]
    assert gather(study.dataset.only(clean)).data_charts


def test_every_class_and_a_clean_frame_are_among_the_examples(study: Any) -> None:
    """No frame is shown twice."""
    chosen = examples(study.dataset)
    names = [example.picture.name for example in chosen]
    assert len(names) == len(set(names))
    assert {shape.class_id for example in chosen for shape in example.truth} == {0, 1}
    assert "clean" in [example.caption for example in chosen]


def test_a_picture_that_is_gone_is_passed_over(study: Any) -> None:
    """Another frame takes its place."""
    frames = study.dataset.frames
    gone = replace(study.dataset, frames=(replace(frames[0], path=frames[0].path / "gone"), *frames[1:]))
    assert frames[0].name not in [example.picture.name for example in examples(gone)]
    assert examples(gone)


def test_frames_that_the_data_set_does_not_have_are_not_shown(study: Any) -> None:
    """An evaluation of other frames has its figures, and no pictures."""
    folder = EvaluationFolder.read(study.evaluation, study.dataset.class_names)
    empty = study.dataset.only([])
    assert best_and_worst(empty, folder.evaluation, folder.detections) == ([], [])


def test_only_detections_above_the_threshold_are_drawn(study: Any) -> None:
    """The weak detection on the second frame counts for curves alone."""
    folder = EvaluationFolder.read(study.evaluation, study.dataset.class_names)
    best, worst = best_and_worst(study.dataset, folder.evaluation, folder.detections)
    shown = {c.picture.name: c.prediction for c in (*best, *worst)}
    assert [shape.class_id for shape in shown["b & c.png"]] == [0]


def test_a_category_that_there_is_not_is_refused(study: Any, tmp_path: Path) -> None:
    """The file that names it stands in the error."""
    (tmp_path / "evaluation.json").write_bytes((study.evaluation / "evaluation.json").read_bytes())
    (tmp_path / "detections.json").write_text(
        '[{"image_id": 1, "file_name": "a", "category_id": 3, "bbox": [0, 0, 1, 1], "score": 0.5}]'
    )
    with pytest.raises(DatasetError, match=r"detections\.json: names a category beyond the 2"):
        EvaluationFolder.read(tmp_path, study.dataset.class_names)


def test_the_spread_over_folds_has_the_units_of_its_folds(study: Any) -> None:
    """Parts of defects are percent in every line of the table."""
    folder = EvaluationFolder.read(study.evaluation, study.dataset.class_names)
    fold = Fold(
        name="a", frames=2, dice=0.8, dice_of_nothing=0.5, found=0.25, false_alarms_per_clean_frame=0.5
    )
    folds = Folds(
        folds=[fold, fold],
        dice=Spread(mean=0.8, standard_deviation=0.01),
        found=Spread(mean=0.25, standard_deviation=0.04),
        false_alarms_per_clean_frame=None,
    )
    pooled = replace(folder, evaluation=msgspec.structs.replace(folder.evaluation, folds=folds))
    rows = evaluation_part(pooled, study.dataset).tables[-1].rows
    assert rows[0].cells[3] == "25 %"
    assert rows[-1].cells[3] == "25 % ± 4 %"
