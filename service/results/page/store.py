"""Stores an answer given on the page: a score or a comment, or a sentence about what is missing.

Everything goes through the one door (ingest), which keeps the first score and the first comment, and remembers a
limited number of contradictions without applying them. Reads only the form's own fields.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.engine import Engine

from service.db import reading, writing
from service.results import answer_rows
from service.results.answer import Answer
from service.results.ingest import ingest
from service.results.merge import Update
from service.results.page.token_lookup import Answerable
from service.text import normal
from service.ways.catalogue import Language
from service.x_api.questions import SCORE_RANGE, TEXT_LIMIT
from service.x_api.texts import clean

MOST_TELLINGS = 20  # of one link: every further one is read together with all before it, while nobody else can write


@dataclass(frozen=True, slots=True)
class SubmittedPart:
    """One part of an answer, or `mistake`: what to say, with the text typed so far in `draft`."""

    score: int | None = None
    text: str | None = None
    mistake: str = ""
    draft: str = ""


def read(form: Mapping[str, str], asked: Answerable, language: Language) -> SubmittedPart:
    """Read a form. A score must be on the card's scale, a comment must say something and fit."""
    if "comment" in form:
        return _comment(form["comment"], language)
    score = form.get("score", "")
    if score not in {str(each) for each in SCORE_RANGE[asked.kind]}:
        return SubmittedPart(mistake=language.say("Please choose one of the answers."))
    return SubmittedPart(score=int(score))


def stands(asked: Answerable, given: SubmittedPart) -> bool:
    """Whether an answer to this part stands already."""
    return asked.said.scored if given.text is None else asked.said.commented


def keep(engine: Engine, asked: Answerable, given: SubmittedPart, now: datetime) -> None:
    """Store the part, dated by our clock: nobody else saw it given. Only so many contradictions are kept."""
    if stands(asked, given) and _is_full(engine, asked):
        return
    told = Update(
        told_at=now,
        score=given.score,
        score_at=None if given.score is None else now,
        text=given.text,
        text_at=None if given.text is None else now,
    )
    with writing(engine) as connection:
        ingest(connection, Answer(asked.request_id, "page", "page", told), now)


def _is_full(engine: Engine, asked: Answerable) -> bool:
    with reading(engine) as connection:
        return answer_rows.how_many_by_page(connection, asked.request_id) >= MOST_TELLINGS


def _comment(written: str, language: Language) -> SubmittedPart:
    text = clean(normal("NFC", written.replace("\r\n", "\n"))).strip()
    if not any(each.isprintable() and not each.isspace() for each in text):  # of marks nobody sees, too
        return SubmittedPart(mistake=language.say("Please write something, or simply close this page."))
    if len(text) > TEXT_LIMIT:
        said = language.say(
            "This comment has {n} characters; up to {most} can be saved. Please shorten it.",
            n=len(text),
            most=TEXT_LIMIT,
        )
        return SubmittedPart(mistake=said, draft=text)
    return SubmittedPart(text=text)
