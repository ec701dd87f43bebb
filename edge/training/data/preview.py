"""Which frames to look at."""

from collections.abc import Sequence

import numpy as np

from edge.errors import DatasetError
from edge.training.dataset import Dataset, LabelledFrame


def class_id_of(dataset: Dataset, name: str) -> int:
    """The id of a class by its name.

    Raises:
        DatasetError: the set has no such class; names those that it has.
    """
    if name not in dataset.class_names:
        raise DatasetError(f"{dataset.name}: has no class {name!r}; it has {', '.join(dataset.class_names)}")
    return dataset.class_names.index(name)


def choose_frames(dataset: Dataset, wanted: int, class_id: int | None, seed: int) -> list[LabelledFrame]:
    """So many frames by lot: of one class, or of all classes and clean ones in turn.

    Frames of the same classes stand together, clean ones last.

    Raises:
        DatasetError: no frame shows the class.
    """
    order = np.random.default_rng(seed).permutation(len(dataset.frames))
    frames = [dataset.frames[index] for index in order]
    if class_id is None:
        chosen = _in_turn(frames, len(dataset.class_names), wanted)
    else:
        chosen = [frame for frame in frames if class_id in frame.class_ids][:wanted]
        if not chosen:
            raise DatasetError(f"{dataset.name}: no frame shows {dataset.class_names[class_id]!r}")
    return sorted(chosen, key=lambda frame: (not frame.class_ids, sorted(frame.class_ids), frame.name))


def _in_turn(frames: Sequence[LabelledFrame], classes: int, wanted: int) -> list[LabelledFrame]:
    """Take a frame of each class and a clean one, again and again, as long as there are any."""
    queues = [[f for f in frames if class_id in f.class_ids] for class_id in range(classes)]
    queues.append([f for f in frames if not f.class_ids])
    chosen: dict[str, LabelledFrame] = {}
    while len(chosen) < wanted and any(queues):
        for queue in filter(None, queues):
            while queue and queue[0].name in chosen:
                queue.pop(0)
            if queue and len(chosen) < wanted:
                frame = queue.pop(0)
                chosen[frame.name] = frame
    return list(chosen.values())
