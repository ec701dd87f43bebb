"""Open a labelled set, whatever its format."""

from pathlib import Path

from edge.errors import DatasetError
from edge.training.data.coco import CocoFile
from edge.training.data.problems import Problem, refuse_errors
from edge.training.data.severstal import read_severstal
from edge.training.dataset import Dataset


def open_dataset(path: Path) -> Dataset:
    """Open a folder of Severstal's format or its ``train.csv``, a COCO json, or a folder with one.

    No picture is read, and masks become instances when somebody looks at them: thousands of frames open in
    about a second. A mask of a COCO file that turns out to be broken raises DatasetError then.

    Raises:
        DatasetError: there is no labelled set, or something is wrong with it; names file and line.
    """
    dataset, problems = read_labels(path)
    refuse_errors(problems)
    return dataset


def read_labels(path: Path, *, masks: bool = False) -> tuple[Dataset, list[Problem]]:
    """Like `open_dataset`, but all that is wrong is listed; with ``masks``, each mask is decoded now.

    Raises:
        DatasetError: there is no labelled set at all.
    """
    labels = find_labels(path)
    if labels.suffix == ".csv":
        dataset, problems = read_severstal(labels)
    else:
        file = CocoFile(labels)
        dataset, problems = file.dataset(), [*file.problems, *(file.problems_of_masks() if masks else ())]
    if not (dataset.frames or problems):
        problems.append(Problem(file=labels, message="there is no picture that it labels"))
    return dataset, problems


def find_labels(path: Path) -> Path:
    """The file of labels that ``path`` is or holds.

    Raises:
        DatasetError: there is none, or more than one.
    """
    if path.is_file() and path.suffix in {".csv", ".json"}:
        return path
    if not path.is_dir():
        raise DatasetError(f"{path}: is no folder, CSV or json file of labels")
    if (path / "train.csv").is_file():
        return path / "train.csv"
    found = sorted(path.glob("*.json"))
    if len(found) != 1:
        several = (
            f"several json files ({', '.join(file.name for file in found)}): name one" if found else "no json"
        )
        raise DatasetError(f"{path}: holds no train.csv, and {several}")
    return found[0]
