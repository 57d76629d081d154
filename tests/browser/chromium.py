"""Finds the system's browser, or says how to get one."""

import shutil
from collections.abc import Callable, Mapping

# the first draws pages and nothing around them, for half the processor's time
NAMES = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
# as root the sandbox cannot start, and a container's /dev/shm is too small for pictures of whole pages; no page lives
# long enough for what compiling its scripts better (or beside it) costs
ARGUMENTS = [
    "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu", "--force-color-profile=srgb",
    "--js-flags=--single-threaded --no-opt --no-maglev",
]  # fmt: skip
HOW_TO_GET_ONE = (
    "no browser is installed, so the dashboard was not tested in one. Install it (apt-get install "
    "chromium-headless-shell, or chromium) or name one in DMF_CHROMIUM, and run again"
)


def path_of(environ: Mapping[str, str], which: Callable[[str], str | None] = shutil.which) -> str | None:
    return environ.get("DMF_CHROMIUM") or next((found for name in NAMES if (found := which(name))), None)


def must_be_there(environ: Mapping[str, str]) -> bool:
    """Whether a missing browser must fail the run: where the run decides about a change."""
    return environ.get("CI", "").lower() not in {"", "0", "false"}
