"""What an error of X means for a request: rules that need no X and no database."""

from datetime import timedelta

import pytest

from service.outreach.answers import XCall, found_by
from service.requests.outcomes import Unclear
from service.states import State
from service.x_api import OutcomeUnknown
from tests.support import START, settings_of

ACME = settings_of().accounts["acme"]
SEND = XCall(State.DM_ALLOWED, "send_dm", sends=True, intended_at=START, way="card", other_way=False)


@pytest.mark.parametrize(("status", "answered"), [(None, False), (502, False), (504, False), (500, True), (503, True)])
def test_only_x_itself_can_be_done_with_a_call(status: int | None, answered: bool) -> None:
    """A gateway that gave up has not heard whether X still works on it: the signature's life is waited out too."""
    error = OutcomeUnknown("No readable answer.", reason="unreadable", http_status=status)
    found = found_by(error, SEND, ACME, START + timedelta(seconds=3))
    assert isinstance(found.outcome, Unclear)
    assert found.outcome.answered is answered
    assert (found.effect is not None) is (status is None)
