"""/f/<token>: shows a customer the question and stores what they choose at once.

GET changes nothing, so previews, scanners and prefetchers never answer. A POST stores one part, score or comment, and
redirects back to the page, so a reload repeats nothing. No cookie, no script, no other host. A wrong link, an old one
and an erased one look the same. Never logs a token, a score or a word.
"""

from collections.abc import Mapping

import flask
from sqlalchemy.engine import Engine
from werkzeug.wrappers import Response

from service.auth import declares
from service.clock import Clock
from service.db import reading
from service.errors import NotFound
from service.results.page import store
from service.results.page.branding import Sender, sender_of
from service.results.page.question import ask, own_words
from service.results.page.rate_limit import ANSWERS, LOOKS, PerMinute
from service.results.page.rendering import LOGOS, PageState, RenderedPage, plain_page, question_page
from service.results.page.token_lookup import Answerable, find
from service.settings import Settings
from service.ways.catalogue import Language, choose, languages
from service.web.bounds import takes

HEADERS = {"Cache-Control": "no-store", "Referrer-Policy": "no-referrer", "X-Robots-Tag": "noindex, nofollow"}
A_YEAR = {"Cache-Control": "public, max-age=31536000, immutable"}
# a logo may be an SVG: opened by itself it may run nothing and load nothing
LOGO_POLICY = {"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; sandbox"}
LARGEST_FORM = 128 * 1024  # 10,000 characters, four bytes each and percent-encoded
BEFORE = "before"  # in the address after an answer that does not stand, as an earlier one does


def blueprint(settings: Settings, engine: Engine, clock: Clock) -> flask.Blueprint:
    """The page and the senders' logos."""
    pages = flask.Blueprint("page", __name__)
    senders = {name: sender_of(account) for name, account in settings.accounts.items()}
    languages()  # read now, not when the first customer waits

    looks, answers = PerMinute(LOOKS), PerMinute(ANSWERS)

    def asked(token: str) -> Answerable | None:
        with reading(engine) as connection:
            found = find(connection, token, answer_window=settings.reports.answer_window, now=clock())
        return found if found is not None and found.account in senders else None

    @pages.get("/f/<path:token>")
    @declares("nobody but who has the link: 128 secret bits")
    def show(token: str) -> Response:
        if not looks.allows(flask.request.remote_addr, clock()):
            return _slower()
        found = asked(token)
        return _gone() if found is None else _page(settings, senders[found.account], found, store.SubmittedPart())

    @pages.post("/f/<path:token>")
    @declares("nobody but who has the link: 128 secret bits")
    @takes(LARGEST_FORM)
    def answer(token: str) -> Response:
        if not answers.allows(flask.request.remote_addr, clock()):
            return _slower()
        found = asked(token)
        if found is None:
            return _gone()
        given = store.read(flask.request.form, found, _language(found))
        if given.mistake:
            return _page(settings, senders[found.account], found, given)
        store.keep(engine, found, given, clock())
        return flask.redirect(f"/f/{token}{_told(found, given)}", 303)

    _add_logos(pages, senders)
    return pages


def _add_logos(pages: flask.Blueprint, senders: Mapping[str, Sender]) -> None:
    logos = {each.logo.digest: each.logo for each in senders.values() if each.logo is not None}

    @pages.get(f"{LOGOS}<digest>")
    @declares("nobody: a business's logo")
    def logo(digest: str) -> Response:
        if digest not in logos:
            raise NotFound("no_such_file", "There is no such file.")
        return flask.Response(
            logos[digest].content, content_type=logos[digest].media_type, headers={**A_YEAR, **LOGO_POLICY}
        )


def _page(settings: Settings, whose: Sender, found: Answerable, given: store.SubmittedPart) -> Response:
    language = _language(found)
    wording = own_words(settings.campaigns, found.campaign, language)
    question = ask(found.kind, found.variant, found.display_name or whose.name, language, wording)
    notice = "" if given.mistake else _notice(found, language)
    shown = PageState(found.said, found.privacy_url, notice, given.mistake, given.draft)
    return _answer(question_page(whose, question, shown, language), 422 if given.mistake else 200)


def _told(found: Answerable, given: store.SubmittedPart) -> str:
    """What to add to the address if there is an answer already; always the same, or one could find out which it is."""
    return f"?{BEFORE}" if store.stands(found, given) else ""


def _notice(found: Answerable, language: Language) -> str:
    if BEFORE in flask.request.args:
        return language.say("You had answered before; your first answer counts.")
    if found.said.commented:
        return language.say("Thank you, your comment is saved.")
    return language.say("Thank you, your answer is saved.") if found.said.scored else ""


def _gone() -> Response:
    language = choose(_browser_languages())
    title = language.say("This page is not available")
    sentence = language.say("The link is incomplete, or the time to answer is over. You need not do anything.")
    return _answer(plain_page(title, sentence, language), 404)


def _slower() -> Response:
    language = choose(_browser_languages())
    title, sentence = language.say("Too many attempts"), language.say("Please wait a minute and try again.")
    response = _answer(plain_page(title, sentence, language), 429)
    response.headers["Retry-After"] = "60"
    return response


def _answer(drawn: RenderedPage, status: int) -> Response:
    headers = {**HEADERS, "Content-Language": drawn.language, "Content-Security-Policy": drawn.policy}
    return flask.Response(drawn.html, status, headers, content_type="text/html; charset=utf-8")


def _language(found: Answerable) -> Language:
    """The request's language, else the first of the browser's that we have."""
    return choose([found.language or "", *_browser_languages()])


def _browser_languages() -> list[str]:
    return [name for name, _ in flask.request.accept_languages]
