"""Results on disk."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import cv2
import numpy as np
import pytest

from consumers.archive import Archive
from consumers.join import InspectedFrame
from edge.contracts import Defect, FrameReference, Inspection, RawFrame
from edge.contracts.encoding import decode_record
from edge.errors import OutputError

MakeFrame = Callable[..., RawFrame]
MakeInspection = Callable[..., Inspection]
MakeDefect = Callable[..., Defect]
Inspected = Callable[..., InspectedFrame]


def jpeg() -> bytes:
    """Return a grey frame."""
    _, encoded = cv2.imencode(".jpg", np.full((256, 1600), 90, np.uint8))
    return encoded.tobytes()


@pytest.fixture
def inspected(make_frame: MakeFrame, make_inspection: MakeInspection, make_defect: MakeDefect) -> Inspected:
    """Make an inspected frame with so many defects."""

    def make(
        offset: int = 7, defects: int = 1, value: bytes | None = None, frame: FrameReference | None = None
    ) -> InspectedFrame:
        inspection = make_inspection(offset, defects=defects)
        if frame is not None:
            inspection = make_inspection(offset, defects=defects, frame=frame)
        found = tuple(make_defect(offset, index) for index in range(defects))
        return InspectedFrame(inspection, found, make_frame(offset, value=value or jpeg()))

    return make


def names(folder: Path) -> list[str]:
    """Return what lies in a folder."""
    return sorted(path.name for path in folder.iterdir())


def test_records_are_written_a_line_each(tmp_path: Path, inspected: Inspected) -> None:
    """Both files hold the records as on their topics, the inspections of clean frames too."""
    frames = [inspected(1, defects=2), inspected(2, defects=0)]

    with Archive(tmp_path / "out") as archive:
        for each in frames:
            archive.write(each)

    lines = (tmp_path / "out/inspections.jsonl").read_bytes().splitlines()
    assert [decode_record(line, Inspection) for line in lines] == [each.inspection for each in frames]
    lines = (tmp_path / "out/defects.jsonl").read_bytes().splitlines()
    assert [decode_record(line, Defect) for line in lines] == list(frames[0].defects)


def test_a_frame_with_defects_gets_a_picture(tmp_path: Path, inspected: Inspected) -> None:
    """Named after camera, coil and sequence; clean frames get none, and no part file stays behind."""
    with Archive(tmp_path) as archive:
        archive.write(inspected(7))
        archive.write(inspected(8, defects=0))

    assert names(tmp_path / "pictures") == ["cam1_C0012_00000007.jpg"]
    picture = cv2.imread(str(tmp_path / "pictures/cam1_C0012_00000007.jpg"))
    assert picture is not None
    assert picture.shape[1] > 1600
    assert (archive.pictures, archive.without_picture) == (1, 0)


def test_another_frames_picture_is_never_overwritten(
    tmp_path: Path, inspected: Inspected, make_reference: Callable[..., FrameReference]
) -> None:
    """A camera that restarts counts its frames anew; the second picture is named by its frame's id, too."""
    with Archive(tmp_path) as archive:
        archive.write(inspected(7))
        archive.write(inspected(19, frame=make_reference(19, sequence=7)))

    assert names(tmp_path / "pictures") == [
        "cam1_C0012_00000007.jpg",
        "cam1_C0012_00000007_frames.cam1-0-19.jpg",
    ]


def test_names_are_safe_for_any_file_system(
    tmp_path: Path, inspected: Inspected, make_reference: Callable[..., FrameReference]
) -> None:
    """What a camera calls itself or its coil never leads out of the folder."""
    frame = make_reference(3, camera="../cam", coil=None, sequence=None)

    with Archive(tmp_path) as archive:
        archive.write(inspected(3, frame=frame))

    assert names(tmp_path / "pictures") == ["-cam_no-coil_0-3.jpg"]


@pytest.mark.parametrize("value", [b"\xff\xd8\xff not an image", jpeg()[:2000]])
def test_a_frame_that_cannot_be_drawn_is_counted(tmp_path: Path, inspected: Inspected, value: bytes) -> None:
    """Its records are written all the same."""
    with Archive(tmp_path) as archive:
        archive.write(inspected(7, value=value))

    assert (archive.pictures, archive.without_picture) == (0, 1)
    assert (tmp_path / "inspections.jsonl").read_bytes().count(b"\n") == 1
    assert names(tmp_path / "pictures") == []


def test_a_dropped_frame_is_counted(
    tmp_path: Path, make_inspection: MakeInspection, make_defect: MakeDefect
) -> None:
    """Without the frame there is nothing to draw on."""
    with Archive(tmp_path) as archive:
        archive.write(InspectedFrame(make_inspection(defects=1), (make_defect(),), None))

    assert (archive.pictures, archive.without_picture) == (0, 1)


def test_raw_frames_are_drawn(
    tmp_path: Path, make_frame: MakeFrame, make_inspection: MakeInspection, make_defect: MakeDefect
) -> None:
    """Mono8 pixels without headers are as large as the inspection says."""
    frame = make_frame(7, value=bytes(256 * 1600))

    with Archive(tmp_path) as archive:
        archive.write(InspectedFrame(make_inspection(defects=1), (make_defect(),), frame))

    assert archive.pictures == 1


def test_results_of_an_earlier_run_are_set_aside(tmp_path: Path, inspected: Inspected) -> None:
    """The files tell of one run, and neither an earlier run nor what else lies there is lost."""
    (tmp_path / "notes.txt").write_text("mine")
    for offset in (1, 2, 3):
        with Archive(tmp_path) as archive:
            archive.write(inspected(offset))

    assert names(tmp_path) == [
        "defects.jsonl",
        "earlier-1",
        "earlier-2",
        "inspections.jsonl",
        "notes.txt",
        "pictures",
    ]
    assert names(tmp_path / "earlier-1/pictures") == ["cam1_C0012_00000001.jpg"]
    assert names(tmp_path / "pictures") == ["cam1_C0012_00000003.jpg"]
    assert (tmp_path / "inspections.jsonl").read_bytes().count(b"\n") == 1


@pytest.mark.parametrize("place", ["/proc/stripsight", "/dev/null/out"])
def test_a_folder_that_cannot_be_made_is_named(place: str) -> None:
    """With the system's reason and the flag that chose it."""
    with pytest.raises(OutputError, match=rf"cannot write {place}.*: \w.* \(--out {place}\)"):
        Archive(Path(place))


@pytest.mark.parametrize("defects", [0, 1])
def test_a_full_disk_is_named(
    tmp_path: Path, inspected: Inspected, no_room: Callable[[], AbstractContextManager[None]], defects: int
) -> None:
    """Whatever is being written when it runs full; closing says so again, since records are missing."""
    archive = Archive(tmp_path)

    with no_room():
        with pytest.raises(OutputError, match=rf"{tmp_path}: File too large"):
            archive.write(inspected(7, defects=defects))
        with pytest.raises(OutputError, match=r"--out"):
            archive.close()


def test_a_picture_that_cannot_be_written_is_named(tmp_path: Path, inspected: Inspected) -> None:
    """Somebody may take the folder away in the middle of a run."""
    with Archive(tmp_path) as archive:
        (tmp_path / "pictures").rmdir()
        with pytest.raises(OutputError, match=r"cannot write .*cam1_C0012.*: No such file"):
            archive.write(inspected(7))
