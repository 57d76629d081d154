"""What a figure's definition consists of, and phrases that many share."""

from dataclasses import dataclass
from typing import Annotated

# Raise it with every change of a word below: two exports are comparable only under the same version.
DEFINITION_VERSION = "11"

ALWAYS_LEFT_OUT = "Test conversations and their answers; figures of NPS and CSAT cards are never added together."
BY_SENT = "The day the customer was asked; numerator and denominator are the same requests."
BY_SCORED = "The day the customer gave the score; where X does not say, on which we first saw it."
WILSON = "Wilson score interval, 95 %."
NO_INTERVAL = "None: it is a count or a mark, not an estimate."


@dataclass(frozen=True, slots=True)
class FigureDefinition:
    """What a supervisor reads behind the question mark of a tile. {score} and the like are thresholds."""

    name: Annotated[str, "The figure's name in the API and in files"]
    title: Annotated[str, "The figure's name for people"]
    plain: Annotated[str, "What it means, with an example"]
    formula: Annotated[str, "How it is calculated"]
    numerator: Annotated[str, "What counts"]
    denominator: Annotated[str, "What it is a share of"]
    exclusions: Annotated[str, "What is excluded, and limits"]
    interval: Annotated[str, "How its uncertainty is expressed"]
    time_anchor: Annotated[str, "Which day it is counted on"]
    source: Annotated[str, "Where the formula comes from"]
    version: Annotated[str, "Compare figures only if their definitions have the same version"] = DEFINITION_VERSION
