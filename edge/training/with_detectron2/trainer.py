"""DefaultTrainer with our frames; the only module of training that needs Detectron2."""

import os
from functools import partial
from pathlib import Path
from typing import Any

from detectron2.data import DatasetCatalog, DatasetMapper, MetadataCatalog, build_detection_train_loader
from detectron2.data.detection_utils import annotations_to_instances
from detectron2.engine import DefaultTrainer
from detectron2.utils import comm

from edge.errors import UnsupportedModelError
from edge.training.dataset import Dataset
from edge.training.engine.distributed import Worker
from edge.training.with_detectron2.dicts import dataset_dicts
from edge.vision.with_detectron2.efficientnet_lite import base_config


class Mapper(DatasetMapper):  # type: ignore[misc] # an untyped base
    """Detectron2's, which cannot crop frames without defects if the model has masks."""

    def _transform_annotations(self, dataset_dict: dict[str, Any], transforms: Any, image_shape: Any) -> None:
        if dataset_dict["annotations"]:
            super()._transform_annotations(dataset_dict, transforms, image_shape)
        else:
            dataset_dict["instances"] = annotations_to_instances(dataset_dict.pop("annotations"), image_shape)


class Trainer(DefaultTrainer):  # type: ignore[misc] # an untyped base
    """DefaultTrainer with that mapper."""

    @classmethod
    def build_train_loader(cls, cfg: Any) -> Any:
        """Build the loader as DefaultTrainer does."""
        return build_detection_train_loader(cfg, mapper=Mapper(cfg, is_train=True))


def register(dataset: Dataset, number: int) -> str:
    """Make a set known to Detectron2's catalogue; returns its name there."""
    name = f"stripsight {number}: {dataset.name}"
    if name in DatasetCatalog:
        DatasetCatalog.remove(name)
        MetadataCatalog.remove(name)
    DatasetCatalog.register(name, partial(dataset_dicts, dataset))
    MetadataCatalog.get(name).set(thing_classes=list(dataset.class_names))
    return name


def build_config(config: Path, datasets: list[str], *, weights: str | None, device: str, out: Path) -> Any:
    """Detectron2's config of the file, with our data, device and folder.

    Args:
        config: the file.
        datasets: by their names in the catalogue.
        weights: to begin with; "" for fresh ones.
        device: torch's name.
        out: folder of the run.

    Raises:
        UnsupportedModelError: Detectron2 does not take it.
    """
    cfg = base_config()
    try:
        cfg.merge_from_file(str(config.resolve()), allow_unsafe=False)
    except Exception as error:  # assertions, KeyErrors and ValueErrors, by what is wrong
        raise UnsupportedModelError(f"{config}: {error.args[0] if error.args else error}") from error
    cfg.MODEL.DEVICE = device
    cfg.MODEL.WEIGHTS = weights
    # Masks come as run lengths; those cannot be had as polygons.
    cfg.INPUT.MASK_FORMAT = "bitmask"
    cfg.DATASETS.TRAIN, cfg.DATASETS.TEST = tuple(datasets), ()
    cfg.OUTPUT_DIR = str(out)
    cfg.freeze()
    return cfg


def run(cfg: Any, worker: Worker) -> None:
    """Train, from the last checkpoint of the folder if there is one."""
    if not worker.is_alone:
        comm.create_local_process_group(int(os.environ.get("LOCAL_WORLD_SIZE", worker.world_size)))
    trainer = Trainer(cfg)
    trainer.resume_or_load(resume=True)
    trainer.train()
