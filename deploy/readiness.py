"""Health check of the image: ends well when the daemon is ready, else with the reason that it gives.

Docker restarts nothing because of it; it is what ``docker compose up --wait`` and ``depends_on`` look at.
"""

import os
import sys
import urllib.error
import urllib.request

TIMEOUT_S = 3

# Without proxies: Docker hands those of its client on to containers, and none of them leads to ourselves.
_direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def main() -> str | None:
    """Return why the daemon is not ready; None if it is."""
    url = f"http://127.0.0.1:{os.environ.get('STRIPSIGHT_HTTP__PORT', '9108')}/readyz"
    try:
        with _direct.open(url, timeout=TIMEOUT_S):
            return None
    except urllib.error.HTTPError as not_ready:
        return not_ready.read().decode(errors="replace")
    except OSError as error:
        return f"{url}: {error}"


if __name__ == "__main__":
    sys.exit(main())
