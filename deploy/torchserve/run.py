"""TorchServe as the first process of a container, which ends it in order.

Its own launcher only waits for the server: as a container's first process it would never hear SIGTERM, and
Docker would kill all of it after the grace period.
"""

import signal
import subprocess
import sys

_STOPPED = 143  # Java's exit code after SIGTERM: what was asked for


def main(arguments: list[str]) -> int:
    """Run until the server ends, by itself or because it is told to; return its exit code."""
    server = subprocess.Popen(["torchserve", "--start", "--foreground", *arguments])  # noqa: S603, S607 - the image's
    stop = ["torchserve", "--stop"]
    signal.signal(signal.SIGTERM, lambda *_: subprocess.Popen(stop))  # noqa: S603 - as above
    code = server.wait()
    return 0 if code == _STOPPED else code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
