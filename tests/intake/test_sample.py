"""A trial delivery: in its CRM's form, ended just now, and naming nobody on X by itself."""

from contextlib import suppress
from datetime import UTC, datetime

import pytest

from service.intake.definition.load import load_definitions
from service.intake.definition.tables import Definition
from service.intake.mapping.events import ConversationEnded
from service.intake.mapping.readings import read
from service.intake.presets import preset_expected, preset_names
from service.intake.sample import TryOf, sample
from service.intake.verify import Refusal
from service.intake.verify.signing import signed
from service.intake.verify.verifier import Verified
from tests.intake.app import PUBLIC_URL, source, verify
from tests.intake.signers import SENDERS

NOW = datetime(2026, 11, 29, 12, 0, tzinfo=UTC)
NOT_OURS_TO_SIGN = {"freshchat", "livechat", "zoho_desk", "zoho_salesiq"}
FIRST = {
    name: next((each for each in preset_expected(name)["fixtures"] if each.startswith("ended")), "")
    for name in preset_names()
}
HAS_AN_END = [name for name, file in FIRST.items() if file]
OF_ITS_OWN = {"django_helpdesk"}  # its time is that of a list's last entry, told by its place


def definition_of(preset: str) -> Definition:
    settings = preset_expected(preset)["settings"]
    return load_definitions({preset: source(preset, SENDERS[preset].key(), name=preset, **settings)})[preset]


def ended(preset: str, said: TryOf) -> ConversationEnded:
    (found,) = read(definition_of(preset), sample(preset, PUBLIC_URL, preset, said, NOW), NOW)
    assert isinstance(found, ConversationEnded), found
    return found


@pytest.mark.parametrize("preset", sorted(set(HAS_AN_END) - OF_ITS_OWN))
def test_it_reports_a_new_conversation_ended_now_without_an_x_identity(preset: str) -> None:
    found = ended(preset, TryOf())
    told = (found.ended_at, found.x_user_id, found.x_handle)
    assert told == (NOW, None, None), "`fields` of the first `ended` in expected.json must name what is to be replaced"
    assert found.conversation_id != preset_expected(preset)["fixtures"][FIRST[preset]]["fields"]["conversation_id"]


def test_its_customer_can_be_chosen() -> None:
    found = ended("zendesk_trigger", TryOf("77", customer="4711", x_user_id="99"))
    assert (found.conversation_id, found.customer_ref, found.x_user_id, found.x_handle) == ("77", "4711", "99", None)
    assert ended("front_app", TryOf(x_handle="zed")).x_handle == "zed"


@pytest.mark.parametrize("preset", HAS_AN_END)
def test_it_is_signed_as_the_source_proves_itself(preset: str) -> None:
    definition = definition_of(preset)
    delivery = sample(preset, PUBLIC_URL, preset, TryOf(), NOW)
    proven = []
    for verifier in definition.verifiers:
        with suppress(Refusal):  # of another kind of sender, whose headers this one does not have
            proven += [each for each in (signed(verifier, delivery, NOW),) if each is not None]
    fits = [each for each in proven if isinstance(verify(definition, each, NOW), Verified)]
    assert bool(fits) == (preset not in NOT_OURS_TO_SIGN)
    times = {name for each in proven for name in each.headers.keys() - delivery.headers if "time" in name}
    added = {name for each in proven for name in each.headers.keys() - delivery.headers} - times
    assert added <= definition.secret_headers | {"authorization"}, "nothing else is written beside it"
