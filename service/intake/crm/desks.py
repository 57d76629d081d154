"""A desk for every source whose customers can be looked up, for the worker to hand on.

A source has one if its definition says how ([[lookup]]) and its settings say where ([sources.NAME.api]).
"""

from collections.abc import Mapping
from functools import partial

from service.clock import Clock
from service.crm_api.client import Client
from service.intake.crm.lookup import look_up
from service.intake.definition.load import load_with_api
from service.intake.definition.tables import Definition
from service.settings import Settings
from service.settings.sources import Api
from service.sources.lookup_desk import Desk


def desks_of(settings: Settings, clock: Clock) -> Mapping[str, Desk]:
    """Return the desks by source. Raises SettingsError if a definition is wrong."""
    return {
        definition.name: desk_of(definition, api, clock)
        for definition, api in load_with_api(settings)
        if definition.grammar.lookup
    }


def desk_of(definition: Definition, api: Api, clock: Clock) -> Desk:
    """Return the desk of one source."""
    steps = definition.grammar.lookup
    return Desk(
        source=definition.name,
        ask=partial(look_up, definition, Client(api, clock)),
        calls=len(steps),
        at_once=api.at_once,
        per_minute=api.per_minute,
        on_x=definition.grammar.channel.on_x,
        of_conversation=any("{conversation_id}" in step.path or step.find.channel for step in steps),
        tells_more=any(step.find.tags or step.find.agent_id or step.find.team_id for step in steps),
    )
