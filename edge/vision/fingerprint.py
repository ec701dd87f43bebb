"""Whether the files of a model folder have changed, without reading them."""

from pathlib import Path

# Config, model.json, weights of every format and exported graphs; notes and scripts beside them are none of
# the model's.
_SUFFIXES = (".yaml", ".json", ".safetensors", ".pth", ".pkl", ".onnx", ".xml", ".bin")

Fingerprint = tuple[tuple[str, int, int, int], ...]


def fingerprint(folder: Path) -> Fingerprint:
    """Return name, modification time (ns), size (bytes) and inode of the model's files; () without any.

    Links are followed: a folder that is replaced by pointing a link elsewhere has changed, too.
    """
    try:
        files = sorted(file for file in folder.iterdir() if file.suffix in _SUFFIXES)
        stats = [(file.name, file.stat()) for file in files]
    except OSError:  # the folder is being replaced: files may vanish between the two looks
        return ()
    return tuple((name, stat.st_mtime_ns, stat.st_size, stat.st_ino) for name, stat in stats)
