"""X's errors as outcomes of a step. Pure.

The class of the error decides; its words go into the ledger for operators. What an error means for the whole account
(a hold until a person acts, a pause until a limit resets) travels beside the outcome.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from service.accounts.dm_list import CLOCK_SLACK, clock_slack
from service.accounts.holds import Away, Hold, Pause, UnexplainedRefusal
from service.accounts.refused_ways import Bar
from service.requests.outcomes import Outcome, Postpone, Retry, Stop, Switch, Unclear
from service.settings import Account
from service.states import OPENED_STATES, Failure, Skip, State
from service.x_api import (
    AccountProblem,
    AlreadyDone,
    MessageRefused,
    OutcomeUnknown,
    RateLimited,
    RecipientRefused,
    Retired,
    Temporary,
    Unexplained,
    UnknownToX,
    Unreachable,
    XError,
)

PAUSES_PER_WINDOW = 15  # a 429 that names no reset pauses the account for this part of X's window: 1 of 15 minutes
GATEWAY_GAVE_UP = {408, 499, 502, 504, 520, 522, 524}
LIMITED, ACCOUNT_HELD = "rate_limited", "account_held"


@dataclass(frozen=True, slots=True)
class StepResult:
    """What came of a step: the outcome, X's id of what was sent, and what it means for the account.

    `had_before`: X refused the message because it already has it from us.
    """

    outcome: Outcome
    x_id: str | None = None
    effect: Hold | Pause | UnexplainedRefusal | Away | Bar | None = None
    had_before: bool = False


@dataclass(frozen=True, slots=True)
class XCall:
    """The X call an error answers: in which state, of which endpoint, whether it writes to the customer.

    `way` is how it asks, `other_way`: this message asks, and there is another way to do it. `allowed`: X has said that
    this customer can be written to.
    """

    state: State
    endpoint: str
    sends: bool
    intended_at: datetime
    way: str
    other_way: bool
    allowed: bool


def result_of(error: XError, call: XCall, account: Account, now: datetime) -> StepResult:
    """Return what `error` means for the request and its account."""
    said = error.sentence if error.code is None else f"{error.sentence} (X code {error.code})"
    match error:
        case OutcomeUnknown() | AlreadyDone() if call.sends:
            until = call.intended_at + account.unknown_after
            # A gateway that gave up waiting says nothing about whether X is done with the call.
            answered = error.http_status is not None and error.http_status not in GATEWAY_GAVE_UP
            # Nor does our clock say when that was, if X's is ahead of it; the signature's life is X's own time.
            answered = answered and (error.dated is None or error.dated <= now + clock_slack(account))
            return StepResult(Unclear(until, said, answered=answered), effect=_beside(error, call, account, now))
        case RateLimited() as limit:
            return _limited(limit, call, account, now, said)
        case _ if _tells_nothing(error, call):
            # Kept, but not at the head of the queue: if it is about this message after all, the others go first.
            had = error.row.had_before
            return StepResult(Retry(error.reason, said), effect=_doubt(error, call), had_before=had)
        case XError(about_us=True):
            return _about_us(error, call, now, said)
        case Unreachable() | Temporary() | OutcomeUnknown():
            return StepResult(Retry(error.reason, said), effect=Away())
        case _:
            effect = _suspicion(error, call)
            return StepResult(_refused(error, call, said), effect=effect, had_before=error.row.had_before)


def _beside(error: XError, call: XCall, account: Account, now: datetime) -> Away | Bar | Hold | Pause | None:
    """What it means for the account, whatever became of the send."""
    if error.http_status is None:
        return Away()
    if error.row.kind is RateLimited:
        return Pause(now + account.window / PAUSES_PER_WINDOW)
    # every other send would be told the same
    return _stop(error, call) if error.row.kind in (AccountProblem, Retired, UnknownToX) else None


def _about_us(error: XError, call: XCall, now: datetime, said: str) -> StepResult:
    stop = _stop(error, call)
    outcome = Switch(error.reason, said) if isinstance(stop, Bar) else Postpone(now, ACCOUNT_HELD, said)
    return StepResult(outcome, effect=stop)


def _stop(error: XError, call: XCall) -> Bar | Hold:
    """An action that few apps may use is replaced by another way if there is one; otherwise a person has to act."""
    if call.other_way and error.row.few_may:
        return Bar(call.way, error.code)
    return Hold(error.code, error.row.reason)


def _tells_nothing(error: XError, call: XCall) -> bool:
    """Whether this one answer may be about the customer, the message, us, or what stands between X and us."""
    of_a_question = not call.sends and isinstance(error, AlreadyDone | MessageRefused)
    return of_a_question or error.row.may_pass or isinstance(error, Unexplained)


def _doubt(error: XError, call: XCall) -> Hold | UnexplainedRefusal:
    if error.about_us and not error.row.may_pass:
        return Hold(error.code, error.reason)
    return UnexplainedRefusal(call.endpoint, error.code, error.reason)


def _suspicion(error: XError, call: XCall) -> UnexplainedRefusal | None:
    """A message that X refuses one customer after another is badly made by us, and so is not a verdict on each of them.

    So is a recipient refused to whom X has just said yes: an account that may write to nobody any more is told of each.
    """
    ours = isinstance(error, MessageRefused) or (isinstance(error, RecipientRefused) and call.allowed)
    if not call.sends or not ours:
        return None
    return UnexplainedRefusal(call.endpoint, error.code, error.reason)


def _limited(limit: RateLimited, call: XCall, account: Account, now: datetime, said: str) -> StepResult:
    a_moment, back_at = now + account.window / PAUSES_PER_WINDOW, limit.back_at(now)
    until = min(max(back_at or a_moment, now + timedelta(seconds=1)), now + timedelta(hours=24))
    if call.endpoint == "create_feedback" and (limit.reset_at is None or until > now + account.window + CLOCK_SLACK):
        # X's rule of one card per customer and day may answer the same: count it, so that one customer whom another
        # tool has asked today pauses the account neither for ever nor for that day.
        return StepResult(Retry(LIMITED, said), effect=Pause(until, first=None if back_at is None else a_moment))
    return StepResult(Postpone(until, LIMITED, said), effect=Pause(until, None if call.sends else call.endpoint))


def _refused(error: XError, call: XCall, said: str) -> Outcome:
    if call.state in OPENED_STATES:
        return Stop(State.FAILED, Failure.REFUSED, said)
    if isinstance(error, MessageRefused):
        return Stop(State.FAILED, Failure.MESSAGE_REFUSED, said)
    if isinstance(error, RecipientRefused):
        return Stop(State.SKIPPED, _ends_as(error, call), said)
    return Stop(State.FAILED, Failure.REFUSED, said)


def _ends_as(error: RecipientRefused, call: XCall) -> Skip:
    """A person X cannot reach while we look them up is nobody we could write to."""
    ends_as = Skip(error.row.ends_as)
    return Skip.NO_X_IDENTITY if call.state is State.RECEIVED and ends_as is Skip.UNREACHABLE else ends_as
