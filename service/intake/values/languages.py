"""Language tags from tags or from language names as CRMs show them; None if unknown.

Help desks fill `{{ticket.requester.language}}` with a name, in English or in the language itself, with the region in
brackets. Never guesses: a name that is not in the table is no language.
"""

import re

from service.language_tags import CALLED_NOW, TAG
from service.text import normal

NAME = re.compile(r"([^()]*[^()\s])\s*(?:[(\uff08]([^()]+)[)\uff09])?")
LONGEST_TAG = 35
SCRIPT, REGION = 4, 2  # letters
LANGUAGES = {
    "af": "afrikaans", "ar": "arabic|العربية", "az": "azerbaijani", "bg": "bulgarian|български", "bn": "bengali|বাংলা",
    "bs": "bosnian|bosanski", "ca": "catalan|català", "cs": "czech|čeština", "cy": "welsh|cymraeg",
    "da": "danish|dansk", "de": "german|deutsch", "el": "greek|ελληνικά", "en": "english",
    "es": "spanish|español|castellano", "et": "estonian|eesti", "eu": "basque|euskara", "fa": "persian|farsi|فارسی",
    "fi": "finnish|suomi", "fil": "filipino|tagalog", "fr": "french|français", "ga": "irish|gaeilge",
    "gl": "galician|galego", "he": "hebrew|עברית", "hi": "hindi|हिन्दी", "hr": "croatian|hrvatski",
    "hu": "hungarian|magyar", "hy": "armenian|հայերեն", "id": "indonesian|bahasa indonesia",
    "is": "icelandic|íslenska", "it": "italian|italiano", "ja": "japanese|日本語", "ka": "georgian|ქართული",
    "kk": "kazakh", "ko": "korean|한국어", "lt": "lithuanian|lietuvių", "lv": "latvian|latviešu",
    "mk": "macedonian|македонски", "ms": "malay|bahasa melayu", "nb": "norwegian|norwegian bokmål|norsk|norsk bokmål",
    "nl": "dutch|nederlands|flemish", "nn": "norwegian nynorsk|nynorsk", "pl": "polish|polski",
    "pt": "portuguese|português", "ro": "romanian|română", "ru": "russian|русский", "sk": "slovak|slovenčina",
    "sl": "slovenian|slovene|slovenščina", "sq": "albanian|shqip", "sr": "serbian|српски|srpski",
    "sv": "swedish|svenska", "sw": "swahili", "ta": "tamil|தமிழ்", "te": "telugu", "th": "thai|ไทย|ภาษาไทย",
    "tr": "turkish|türkçe", "uk": "ukrainian|українська", "ur": "urdu|اردو", "vi": "vietnamese|tiếng việt",
    "zh": "chinese|中文", "zh-Hans": "simplified chinese|chinese simplified|简体中文",
    "zh-Hant": "traditional chinese|chinese traditional|繁體中文",
}  # fmt: skip
REGIONS = {
    "AR": "argentina", "AT": "austria|österreich", "AU": "australia", "BE": "belgium|belgië|belgique",
    "BR": "brazil|brasil", "CA": "canada", "CH": "switzerland|schweiz|suisse|svizzera", "CL": "chile",
    "CN": "china|prc", "CO": "colombia", "DE": "germany|deutschland", "EG": "egypt", "ES": "spain|españa",
    "FR": "france", "GB": "united kingdom|great britain|uk|gb", "HK": "hong kong", "IE": "ireland", "IL": "israel",
    "IN": "india", "IT": "italy|italia", "JP": "japan", "KR": "korea|south korea", "MX": "mexico|méxico",
    "NL": "netherlands|nederland", "NO": "norway|norge", "NZ": "new zealand", "PE": "peru", "PH": "philippines",
    "PT": "portugal", "SE": "sweden|sverige", "SG": "singapore", "TW": "taiwan", "US": "united states|usa|us",
    "ZA": "south africa", "419": "latin america|latinoamérica", "Hans": "simplified|简体", "Hant": "traditional|繁體",
}  # fmt: skip


def _by_name(table: dict[str, str]) -> dict[str, str]:
    return {name: code for code, names in table.items() for name in names.split("|")}


LANGUAGE_OF, REGION_OF = _by_name(LANGUAGES), _by_name(REGIONS)


def language_tag(given: str) -> str | None:
    """Return `en-US` for `en_us` and `English (United States)`; None for anything that is no tag or known name."""
    given = normal("NFKC", given).strip()
    name = NAME.fullmatch(given)
    language = LANGUAGE_OF.get(name[1].casefold()) if name else None
    if language and name:
        region = REGION_OF.get((name[2] or "").casefold())
        return f"{language}-{region}" if region else language
    if not TAG.fullmatch(given):
        return None
    first, *rest = re.split("[-_]", given)
    tag = "-".join([CALLED_NOW.get(first.lower(), first.lower()), *(_usual(each) for each in rest)])
    return tag if len(tag) <= LONGEST_TAG else None


def _usual(part: str) -> str:
    if len(part) == SCRIPT and part.isalpha():
        return part.title()
    return part.upper() if len(part) == REGION else part
