"""Takes the dashboard's pictures for the README from a running demo and writes them as PNG files under deploy/.

    dm-feedback demo --keep                                              # prints its address and the key
    python -m tests.browser.pictures http://127.0.0.1:8000 dmf_…

Takes what a browser shows of a real run and retouches nothing. A picture that has grown too large is an error: whoever
clones the repository pays for it.
"""

import os
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from tests.browser import chromium

FOLDER = Path(__file__).parents[2] / "deploy" / "pictures"
LARGEST = 120_000
WEEK = timedelta(days=6)
SHOTS = {
    "this-week": ("/?since={since}", 1060, 720, "light"),
    "explore": ("/explore?by=agent&since={since}", 1180, 760, "light"),
    "comments": ("/comments?since={since}", 1180, 820, "light"),
    "operations": ("/operations?since={since}", 1180, 820, "light"),
    "phone": ("/?since={since}", 390, 844, "dark"),
}
"""Address, width, height, colours. The demo lasts a minute, so its week ends today."""


def take(url: str, key: str, folder: Path = FOLDER) -> list[Path]:
    """Write every picture; return where they are."""
    path = chromium.path_of(os.environ)
    if path is None:
        raise SystemExit(chromium.HOW_TO_GET_ONE)
    folder.mkdir(parents=True, exist_ok=True)
    since = (datetime.now(UTC) - WEEK).date().isoformat()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=chromium.ARGUMENTS)
        taken = []
        for name, (address, width, height, scheme) in SHOTS.items():
            page = browser.new_page(viewport={"width": width, "height": height}, color_scheme=scheme)
            _sign_in(page, url, key)
            page.goto(f"{url}/dashboard{address.format(since=since)}")
            taken.append(folder / f"{name}.png")
            page.screenshot(path=taken[-1])
            page.close()
        browser.close()
    return taken


def _sign_in(page: Page, url: str, key: str) -> None:
    page.goto(f"{url}/dashboard/sign-in")
    page.get_by_label("Your key").fill(key)
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("heading", level=1).wait_for()


def main(url: str, key: str) -> None:
    """Take them, and say how large each is."""
    sizes = {path: path.stat().st_size for path in take(url.rstrip("/"), key)}
    for path, size in sizes.items():
        print(f"{size:7,} bytes  {path}")
    if any(size > LARGEST for size in sizes.values()):
        raise SystemExit(f"A picture is larger than {LARGEST:,} bytes: show less of the page.")


if __name__ == "__main__":
    main(*sys.argv[1:3])
