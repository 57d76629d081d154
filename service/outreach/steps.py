"""The whole life of a request on one screen: in, a request that is ready; out, what its one X call found.

Each step makes at most one call, and never one that the transaction before it has not committed to. No step reads or
writes the database.
"""

from collections.abc import Callable, Mapping
from datetime import datetime

from service.outreach.answers import Call, Found, found_by
from service.outreach.machine import Advance, Note, Stop
from service.outreach.queue import Ready
from service.states import Skip, State
from service.x_api import Card, XClient, XError


def find_user(ready: Ready, x: XClient) -> Found:
    """Resolve the handle to an id; X may tell `can_dm` in the same answer."""
    user = x.show_user(screen_name=ready.request.x_handle).value
    return Found(Advance(State.IDENTIFIED, {"x_user_id": user.id, "can_dm": user.can_dm}))


def ask_permission(ready: Ready, x: XClient) -> Found:
    """Ask whether we may write: the user object first, the friendship if that is silent. Silence is not a no."""
    if ready.request.can_dm_asked == 0:
        can_dm = x.show_user(user_id=ready.request.x_user_id).value.can_dm
    else:
        can_dm = x.show_friendship(ready.request.x_user_id).value.can_dm
    if can_dm is None:
        return Found(Note("can_dm_not_said", {"can_dm_asked": ready.request.can_dm_asked + 1}))
    if can_dm:
        return Found(Advance(State.DM_ALLOWED, {"can_dm": True}))
    return Found(Stop(State.SKIPPED, Skip.CANNOT_DM, facts={"can_dm": False}))


def send_opening(ready: Ready, x: XClient) -> Found:
    """Send the opening DM, or the card at once where the campaign has no opening."""
    if ready.request.opening_text is None:
        return send_card(ready, x)
    sent = x.send_dm(ready.request.x_user_id, ready.request.opening_text, signed_at=ready.intended_at).value
    facts = {"dm_event_id": sent.id, "dm_sent_at": sent.created_at or ready.intended_at}
    return Found(Advance(State.DM_SENT, facts), sent.id)


def send_card(ready: Ready, x: XClient) -> Found:
    """Send the Customer Feedback card; our own id travels as `external_id`."""
    request = ready.request
    card = Card(
        type=request.type,
        to_user_id=request.x_user_id,
        message=request.card_text,
        privacy_url=request.privacy_url,
        external_id=request.id,
        question_variant_id=request.question_variant_id,
        display_name=request.display_name,
        test=request.test,
    )
    sent = x.create_feedback(card, signed_at=ready.intended_at).value
    facts = {
        "feedback_id": sent.id,
        "card_dm_id": sent.dm_id,
        "card_sent_at": sent.created_at or ready.intended_at,
    }
    return Found(Advance(State.CARD_SENT, facts), sent.id)


STEPS: Mapping[State, Callable[[Ready, XClient], Found]] = {
    State.RECEIVED: find_user,
    State.IDENTIFIED: ask_permission,
    State.DM_ALLOWED: send_opening,
    State.DM_SENT: send_card,
}


def take(ready: Ready, x: XClient, clock: Callable[[], datetime]) -> Found:
    """Take the step that this request is ready for. X's errors come back as outcomes."""
    state = State(ready.request.state)
    try:
        return STEPS[state](ready, x)
    except XError as error:
        call = Call(state, ready.endpoint, ready.attempt_id is not None, ready.intended_at)
        return found_by(error, call, ready.account, clock())
