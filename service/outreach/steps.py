"""The whole life of a request on one screen: for each state, the one call to X that takes it further.

A step makes at most one call, and only one the transaction before has committed to. No step touches the database.
"""

from collections.abc import Callable, Mapping
from datetime import datetime

from service.clock import Clock
from service.db.leases import CLOCKS_DIFFER
from service.outreach.answers import StepResult, XCall, result_of
from service.outreach.claims import Ready
from service.requests.outcomes import Advance, Learnt, Note, Stop
from service.requests.request import Request
from service.states import Kind, Skip, State, for_every_open_state
from service.ways import WAYS, opening
from service.ways.way import Asking, Delivered
from service.x_api import AccountProblem, OutcomeUnknown, XClient, XError


def find_user(ready: Ready, x: XClient) -> StepResult:
    """Resolve the handle to an id; X may tell `can_dm` in the same answer."""
    user = x.show_user(screen_name=ready.request.x_handle).value
    return StepResult(Advance(State.IDENTIFIED, Learnt(x_user_id=user.id, can_dm=user.can_dm, can_dm_asked=1)))


def ask_permission(ready: Ready, x: XClient) -> StepResult:
    """Ask whether we may write: the user object first, the friendship if that does not say. Silence is not a no."""
    whom, asked = _whom(ready.request), ready.request.can_dm_asked
    can_dm = _friendship(whom, x) if asked else x.show_user(user_id=whom).value.can_dm
    if can_dm is None:
        return StepResult(Note("can_dm_not_said", Learnt(can_dm_asked=asked + 1)))
    if can_dm:
        return StepResult(Advance(State.DM_ALLOWED, Learnt(can_dm=True)))
    return StepResult(Stop(State.SKIPPED, Skip.CANNOT_DM, learnt=Learnt(can_dm=False)))


def _friendship(whom: str, x: XClient) -> bool | None:
    """Whether the friendship says so. An app that X does not let ask this may write all the same."""
    try:
        return x.show_friendship(whom).value.can_dm
    except AccountProblem as error:
        if error.row.few_may:
            return None
        raise


def send_opening(ready: Ready, x: XClient) -> StepResult:
    """Send the opening DM, or directly the message that asks if the campaign has no opening."""
    request = ready.request
    if request.next_message is Kind.ASKING:
        return ask(ready, x)
    text = ready.links.written_into(request.text_of(Kind.OPENING), request.id)
    sent = opening.send(x, _whom(request), text, ready.intended_at)
    known = Learnt(dm_event_id=sent.dm_id, dm_sent_at=_when(sent, ready))
    return StepResult(Advance(State.DM_SENT, known), sent.x_id)


def ask(ready: Ready, x: XClient) -> StepResult:
    """Send the message that asks, by the request's way."""
    sent = WAYS[ready.request.way].send(x, asking_of(ready), ready.intended_at)
    if sent.dm_id is not None and sent.dm_id == ready.request.dm_event_id:
        # a connection that is one answer off: to the same customer, so nothing else in it tells
        raise OutcomeUnknown("X's answer is about the opening.", reason="unreadable_answer", http_status=200)
    known = Learnt(feedback_id=sent.feedback_id, card_dm_id=sent.dm_id, card_sent_at=_when(sent, ready))
    return StepResult(Advance(State.CARD_SENT, known), sent.x_id)


def asking_of(ready: Ready) -> Asking:
    """Return the request as its way sends it."""
    request, links = ready.request, ready.links
    variant, card_type, privacy_url = request.question_variant_id, request.type, request.privacy_url
    assert variant is not None, "frozen with the campaign, as is what follows"
    assert card_type is not None
    assert privacy_url is not None
    return Asking(
        request_id=request.id,
        to_user_id=_whom(request),
        text=links.written_into(request.text_of(Kind.ASKING), request.id),
        type=card_type,
        question_variant_id=variant,
        display_name=request.display_name,
        privacy_url=privacy_url,
        test=request.test,
        languages=ready.languages,
        key=links.key,
    )


def _when(sent: Delivered, ready: Ready) -> datetime:
    """X's time of the message, unless it is far from ours: much is calculated from it."""
    if sent.at is None or abs(sent.at - ready.intended_at) > CLOCKS_DIFFER:
        return ready.intended_at
    return sent.at


def _whom(request: Request) -> str:
    assert request.x_user_id is not None, "found before anything else is asked"
    return request.x_user_id


STEPS: Mapping[State, Callable[[Ready, XClient], StepResult]] = for_every_open_state(
    "STEPS of outreach/steps.py",
    {
        State.RECEIVED: find_user,
        State.IDENTIFIED: ask_permission,
        State.DM_ALLOWED: send_opening,
        State.DM_SENT: ask,
    },
)


def _call(ready: Ready) -> XCall:
    request, sends = ready.request, ready.attempt_id is not None
    other_way = sends and request.next_message is Kind.ASKING and bool(request.alternatives)
    allowed = request.can_dm is True
    return XCall(request.state, ready.endpoint, sends, ready.intended_at, request.way, other_way, allowed)


def take(ready: Ready, x: XClient, clock: Clock) -> StepResult:
    """Take the step that this request is ready for. X's errors come back as outcomes."""
    try:
        return STEPS[ready.request.state](ready, x)
    except XError as error:
        call = _call(ready)
        return result_of(error, call, ready.account, clock())
