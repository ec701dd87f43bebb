"""Health check of TorchServe's image: ends well when its workers are there, else with what it answers.

Its health, too, is told to those alone who show the key of inference, which lies where it was started.
"""

import json
import sys
import urllib.error
import urllib.request
from pathlib import Path

URL = "http://127.0.0.1:8080/ping"
TIMEOUT_S = 3

# Without proxies: Docker hands those of its client on to containers, and none of them leads to ourselves.
_direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def main(url: str = URL, keys: Path = Path("key_file.json")) -> str | None:
    """Return why TorchServe is not healthy; None if it is."""
    try:
        key = json.loads(keys.read_text())["inference"]["key"]
        request = urllib.request.Request(url, headers={"Authorization": f"Bearer {key}"})  # noqa: S310 - ours
        with _direct.open(request, timeout=TIMEOUT_S):
            return None
    except urllib.error.HTTPError as unhealthy:
        return unhealthy.read().decode(errors="replace")
    except (OSError, ValueError, KeyError) as error:
        return f"{url}: {error}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1] if len(sys.argv) > 1 else URL))
