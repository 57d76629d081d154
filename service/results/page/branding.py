"""Whose page it is: an account's name, its logo, and colours that are readable on any screen.

The business chooses the accent colour; we darken or lighten it until text and borders have the contrast WCAG 2.2 asks
for (4.5 : 1). Never fetches anything: the logo is a file named in the settings and served by us.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from service.settings import Account, Mistake, SettingsError

LIGHT, DARK = "#ffffff", "#14171a"
LIGHT_ACCENT, DARK_ACCENT = "#1d5fd0", "#7aa7ee"
CONTRAST = 4.5
STEP = 0.05
LOGO_TYPES = {".svg": "image/svg+xml", ".png": "image/png", ".webp": "image/webp", ".jpg": "image/jpeg"}
Rgb = tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class Logo:
    """A picture, its media type, and the digest of its content, which is its address."""

    content: bytes
    media_type: str
    digest: str


@dataclass(frozen=True, slots=True)
class Sender:
    """What the page says and shows of the business. `on_light`, `on_dark`: the accent, readable on that ground."""

    name: str
    on_light: str
    on_dark: str
    logo: Logo | None = None


NOBODY = Sender("", LIGHT_ACCENT, DARK_ACCENT)
"""For a page that must not tell whose it would have been."""


def sender_of(account: Account) -> Sender:
    """Prepare an account's page. Raises SettingsError if its picture cannot be used."""
    name = account.page_name or account.screen_name or account.name
    return Sender(name, readable(account.page_accent, LIGHT), readable(account.page_accent, DARK), _logo(account))


def mistakes(accounts: Iterable[Account]) -> list[Mistake]:
    """Name every picture that cannot be used."""
    found: list[Mistake] = []
    for each in accounts:
        try:
            _logo(each)
        except SettingsError as error:
            found += error.problems
    return found


def _logo(account: Account) -> Logo | None:
    if account.page_logo is None:
        return None
    try:
        return read_logo(Path(account.page_logo))
    except (OSError, ValueError) as error:
        sentence = f"'{account.page_logo}' cannot be used: {error}"
        raise SettingsError([Mistake(f"accounts.{account.name}.page_logo", sentence)]) from error


def read_logo(path: Path) -> Logo:
    """Read a picture. Raises ValueError if browsers cannot show its kind, OSError if it is missing."""
    media_type = LOGO_TYPES.get(path.suffix.lower())
    if media_type is None:
        raise ValueError(f"a logo is one of {', '.join(LOGO_TYPES)}, not '{path.name}'")
    content = path.read_bytes()
    return Logo(content, media_type, hashlib.sha256(content).hexdigest()[:32])


def contrast(one: str, other: str) -> float:
    """Return the contrast of two colours, 1 to 21, as WCAG 2.2 defines it."""
    brighter, darker = sorted((_luminance(_rgb(one)), _luminance(_rgb(other))), reverse=True)
    return (brighter + 0.05) / (darker + 0.05)


def readable(accent: str, ground: str) -> str:
    """Return the accent, darkened or lightened as little as the contrast needs."""
    away, colour, share = _rgb(DARK if ground == LIGHT else LIGHT), accent, 0.0
    while contrast(colour, ground) < CONTRAST:
        share += STEP
        colour = _hex(_mixed(_rgb(accent), away, share))
    return colour


def _rgb(colour: str) -> Rgb:
    if len(colour) != len("#rrggbb") or not colour.startswith("#"):
        raise ValueError(f"a colour is written #rrggbb, not '{colour}'")
    red, green, blue = (int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5))
    return red, green, blue


def _hex(rgb: Rgb) -> str:
    return "#" + "".join(f"{round(each * 255):02x}" for each in rgb)


def _mixed(one: Rgb, other: Rgb, share: float) -> Rgb:
    red, green, blue = (a + (b - a) * share for a, b in zip(one, other, strict=True))
    return red, green, blue


def _luminance(rgb: Rgb) -> float:
    red, green, blue = (each / 12.92 if each <= 0.04045 else ((each + 0.055) / 1.055) ** 2.4 for each in rgb)  # noqa: PLR2004 - sRGB
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
