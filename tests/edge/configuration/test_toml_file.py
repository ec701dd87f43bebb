from pathlib import Path

import pytest

from edge.configuration.toml_file import read_file
from edge.errors import SettingsError

TEXT = """\
# line = "not this one"
line = "mill"
http.port = 1

[kafka]
frame_topics = [
    "a",
]
"group_id" = "x = y"

[cameras.cam1]
[cameras."cam.2"]
side = "top"
[model]
path = "m"
"""


def test_every_setting_knows_its_line(tmp_path: Path) -> None:
    """Dotted keys, quoted keys, lists over lines and empty tables all are found."""
    file = tmp_path / "s.toml"
    file.write_text(TEXT, encoding="utf-8")
    assert {given.path: given.origin.rpartition(" line ")[2] for given in read_file(file)} == {
        ("line",): "2",
        ("http", "port"): "3",
        ("kafka", "frame_topics"): "6",
        ("kafka", "group_id"): "9",
        ("cameras", "cam1"): "11",
        ("cameras", "cam.2", "side"): "13",
        ("model", "path"): "15",
    }


def test_setting_of_an_inline_table_has_the_line_of_the_table(tmp_path: Path) -> None:
    """What stands within braces is found by the key before them."""
    file = tmp_path / "s.toml"
    file.write_text("\nhttp = { port = 1 }\n", encoding="utf-8")
    assert [given.origin for given in read_file(file)] == [f"{file} line 2"]


def test_missing_file_is_named(tmp_path: Path) -> None:
    """A file that was asked for must be there."""
    with pytest.raises(SettingsError, match=r"settings file .*/absent\.toml: No such file or directory"):
        read_file(tmp_path / "absent.toml")


def test_directory_is_no_file(tmp_path: Path) -> None:
    """A folder in place of the file is named."""
    with pytest.raises(SettingsError, match="Is a directory"):
        read_file(tmp_path)


def test_broken_toml_is_named_with_line_and_column(tmp_path: Path) -> None:
    """A syntax error tells its place."""
    file = tmp_path / "s.toml"
    file.write_text("line = \n", encoding="utf-8")
    with pytest.raises(
        SettingsError, match=r"s\.toml: not valid TOML: Invalid value \(at line 1, column 8\)"
    ):
        read_file(file)


def test_file_that_is_not_text_is_named(tmp_path: Path) -> None:
    """Bytes that are not UTF-8 are told from a wrong setting."""
    file = tmp_path / "s.toml"
    file.write_bytes(b"line = '\xff'")
    with pytest.raises(SettingsError, match=r"s\.toml: not UTF-8 text"):
        read_file(file)
