"""The definitions of figures are complete and stable, and agree with what is calculated."""

import hashlib
from dataclasses import asdict, fields

import pytest

from service.reports.statistics.definitions import DEFINITION_VERSION, DEFINITIONS, FigureDefinition, define
from service.reports.thresholds import Thresholds

# One line per version that was ever published; a new wording needs a new line.
FINGERPRINTS = {
    "1": "38aef369f28d395d",
    "2": "4e2f58d5ca1ae3cd",
    "3": "59ace553372baf59",
    "4": "d8fac716c62488fd",
    "5": "6885518082e04f0c",
    "6": "24841cc128984d4b",
    "7": "64d9da725a9f273d",
    "8": "2f7b97e60c3b88b2",
    "9": "528db2685b69f5dd",
    "10": "6ebdcbf302bcaeef",
    "11": "f43d09deee66f62b",
}


def test_every_figure_is_defined_under_its_own_name():
    assert all(name == definition.name for name, definition in DEFINITIONS.items())


@pytest.mark.parametrize("definition", DEFINITIONS.values(), ids=DEFINITIONS)
def test_no_part_of_a_definition_is_left_empty(definition):
    assert all(str(getattr(definition, field.name)).strip() for field in fields(FigureDefinition))
    assert definition.version == DEFINITION_VERSION


def test_changed_words_need_a_new_version():
    words = repr([asdict(definition) for definition in DEFINITIONS.values()])
    assert FINGERPRINTS.get(DEFINITION_VERSION) == hashlib.sha256(words.encode()).hexdigest()[:16], (
        "raise DEFINITION_VERSION in statistics/defined.py, and add its line to FINGERPRINTS"
    )


def test_the_words_quote_the_thresholds_in_force():
    ours = define(Thresholds(score=11, comments=12, ranking=41))
    assert "fewer than 11 answers, comments of an agent with fewer than 12 answers" in ours["suppressed"].formula
    assert "fewer than 41 answers; no ranking below 41" in ours["low_base"].formula
    assert "from 11 answers" in ours["distribution"].exclusions
    assert "fewer than 5 answers, comments of an agent with fewer than 8 answers" in DEFINITIONS["suppressed"].formula


def test_no_placeholder_is_left_in_the_words():
    assert not [text for one in DEFINITIONS.values() for text in asdict(one).values() if "{" in text]


def test_the_table_cannot_be_changed_while_running():
    with pytest.raises(TypeError):
        DEFINITIONS["nps"] = DEFINITIONS["csat"]
