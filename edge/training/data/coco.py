"""COCO's json of boxes, polygons and run lengths; its file says the pictures' sizes, none is opened.

Each annotation is one defect. Category ids become class ids from 0, in their order. Crowds, which stand for
an unknown number of defects, are left out and reported. The format: https://cocodataset.org/#format-data.
"""

from collections import defaultdict
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Annotated, Any, TypeVar

import msgspec
import numpy as np

from edge.errors import DatasetError
from edge.training.data.coco_masks import Segmentation, instance_of
from edge.training.data.problems import Problem
from edge.training.dataset import Dataset, DeferredInstances, LabelledFrame
from edge.training.samples import Instance

_Positive = Annotated[int, msgspec.Meta(gt=0)]
_Length = Annotated[float, msgspec.Meta(ge=0)]
_BOX_TOLERANCE_PX = 2.0  # between a box and its mask: corners are rounded, and tools count from 0 or 1
_MOST_PIXELS = 1 << 30  # of a picture that OpenCV opens
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_Item = TypeVar("_Item", bound=msgspec.Struct)


class CocoImage(msgspec.Struct, frozen=True):
    """A picture."""

    id: int | str
    file_name: str
    width: _Positive
    height: _Positive


class CocoAnnotation(msgspec.Struct, frozen=True):
    """A defect: x, y, width, height of its box, and where it is known its outline."""

    id: int | str
    image_id: int | str
    category_id: int
    bbox: tuple[float, float, _Length, _Length]
    segmentation: Segmentation | None = None
    iscrowd: int = 0


class CocoCategory(msgspec.Struct, frozen=True):
    """A class of defects."""

    id: int
    name: str


class _Document(msgspec.Struct, frozen=True):
    images: list[Any]
    annotations: list[Any]
    categories: list[Any]


class CocoFile:
    """One json file: its parts, as far as they are what they should be, and ``problems`` for the rest."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.problems: list[Problem] = []
        document = self._read()
        self.categories = self._categories(document.categories)
        self.images = self._images(document.images)
        self.annotations = self._annotations(document.annotations)

    def dataset(self) -> Dataset:
        """The labelled set; worth something only if none of the problems is an error."""
        class_ids = {category.id: index for index, category in enumerate(self.categories)}
        by_image: dict[int | str, list[CocoAnnotation]] = defaultdict(list)
        for annotation in self.annotations:
            by_image[annotation.image_id].append(annotation)
        frames = (self._frame(image, by_image.get(image.id, []), class_ids) for image in self.images)
        return Dataset(
            name=f"{self.path.resolve().parent.name}/{self.path.stem}",
            class_names=tuple(category.name for category in self.categories),
            frames=tuple(sorted(frames, key=lambda frame: frame.name)),
            has_masks=any(annotation.segmentation for annotation in self.annotations),
        )

    def problems_of_masks(self) -> Iterator[Problem]:
        """Decode every mask; what is broken, empty, or does not fit its box."""
        images = {image.id: image for image in self.images}
        for annotation in self.annotations:
            image = images[annotation.image_id]
            name = Path(image.file_name).name
            problem = partial(Problem, file=self.path, annotation=annotation.id, frame=name)
            try:
                instance = _instance(image, annotation, 0)
            except DatasetError as error:
                yield problem(message=str(error))
                continue
            x, y, width, height = annotation.bbox
            difference = np.subtract(instance.box_px, (x, y, x + width, y + height))
            if np.abs(difference).max() > _BOX_TOLERANCE_PX:
                message = f"the box {list(annotation.bbox)} is not that of the mask, or leaves the picture"
                yield problem(severity="warning", message=message)
        without = [annotation.id for annotation in self.annotations if not annotation.segmentation]
        if without and len(without) < len(self.annotations):
            message = f"{len(without)} of {len(self.annotations)} annotations have a box and no mask"
            yield Problem(severity="warning", file=self.path, annotation=without[0], message=message)

    def _frame(
        self, image: CocoImage, annotations: list[CocoAnnotation], class_ids: dict[int, int]
    ) -> LabelledFrame:
        path = picture_path(self.path.parent, image.file_name)
        decode = partial(_instances, self.path, image, annotations, class_ids)
        return LabelledFrame(
            path, image.height, image.width, DeferredInstances(decode) if annotations else ()
        )

    def _read(self) -> _Document:
        try:
            data = self.path.read_bytes().removeprefix(_BYTE_ORDER_MARK)
            return msgspec.json.decode(data, type=_Document)
        except (OSError, UnicodeDecodeError, msgspec.DecodeError) as error:
            self._report(f"is no COCO json: {error}")
            return _Document([], [], [])

    def _parts(self, parts: list[Any], kind: type[_Item]) -> Iterator[_Item]:
        name = kind.__name__.removeprefix("Coco").lower()
        for number, part in enumerate(parts):
            try:
                yield msgspec.convert(part, kind)
            except msgspec.ValidationError as error:
                part_id = part.get("id", f"number {number}") if isinstance(part, dict) else f"number {number}"
                if kind is CocoAnnotation:
                    self._report(str(error), annotation=part_id)
                else:
                    self._report(f"{name} {part_id}: {error}")

    def _categories(self, parts: list[Any]) -> list[CocoCategory]:
        categories: dict[int, CocoCategory] = {}
        for category in self._parts(parts, CocoCategory):
            if category.id in categories:
                self._report(f"category id {category.id} is given twice")
            elif category.name in {other.name for other in categories.values()}:
                self._report(f"two categories have the name {category.name!r}")
            categories.setdefault(category.id, category)
        return [categories[category_id] for category_id in sorted(categories)]

    def _images(self, parts: list[Any]) -> list[CocoImage]:
        images: dict[int | str, CocoImage] = {}
        names: set[str] = set()
        for image in self._parts(parts, CocoImage):
            name = Path(image.file_name).name
            if image.id in images:
                self._report(f"image id {image.id} is given twice", frame=name)
            elif name in names:
                self._report("two images have this file name, which is how a frame is known", frame=name)
            elif image.width * image.height > _MOST_PIXELS:
                self._report(f"{image.width}x{image.height} px are too many to be read", frame=name)
                continue  # its masks could not be decoded either
            elif not _is_file(picture_path(self.path.parent, image.file_name)):
                self._report("there is no such picture, neither here nor in images/", frame=name)
            images.setdefault(image.id, image)
            names.add(name)
        return list(images.values())

    def _annotations(self, parts: list[Any]) -> list[CocoAnnotation]:
        """The annotations that belong to a picture and a class, without crowds."""
        names = {image.id: Path(image.file_name).name for image in self.images}
        known = {category.id for category in self.categories}
        kept: dict[int | str, CocoAnnotation] = {}
        for part in self._parts(parts, CocoAnnotation):
            report = partial(self._report, annotation=part.id, frame=names.get(part.image_id, ""))
            if part.image_id not in names:
                report(f"there is no image with the id {part.image_id}")
            elif part.category_id not in known:
                report(f"unknown class: there is no category with the id {part.category_id}")
            elif part.id in kept:
                report("the id is given twice")
            elif part.iscrowd:
                report("a crowd is left out", severity="warning")
            else:
                kept[part.id] = part
        return list(kept.values())

    def _report(self, message: str, **where: Any) -> None:
        self.problems.append(Problem(file=self.path, message=message, **where))


def picture_path(folder: Path, file_name: str) -> Path:
    """Where a picture lies: in ``images`` beside the json, else beside it."""
    inside = folder / "images" / file_name
    return inside if _is_file(inside) else folder / file_name


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # a name that no file system takes
        return False


def _instances(
    path: Path, image: CocoImage, annotations: list[CocoAnnotation], class_ids: dict[int, int]
) -> tuple[Instance, ...]:
    instances = []
    for annotation in annotations:
        try:
            instances.append(_instance(image, annotation, class_ids[annotation.category_id]))
        except DatasetError as error:
            raise DatasetError(f"{path}, annotation {annotation.id}: {error}") from error
    return tuple(instances)


def _instance(image: CocoImage, annotation: CocoAnnotation, class_id: int) -> Instance:
    size = (image.height, image.width)
    return instance_of(class_id, annotation.bbox, annotation.segmentation, size)
