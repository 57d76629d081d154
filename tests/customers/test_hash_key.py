"""A changed secret is noticed before anybody is asked again; changing it on purpose keeps every hash."""

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Engine

from service.customers import hash_key, opted_out
from service.customers.hash_key import open_key
from service.db import reading, writing
from service.errors import Conflict, Unavailable
from service.ids import person
from service.models import data_key, opt_out
from tests.support import START, is_opted_out

OLD, NEW = "the-secret-of-the-first-day-0001", "another-secret-of-another-day-02"


def put_on_the_list(engine: Engine, key: str) -> None:
    with writing(engine) as connection:
        opted_out.add(connection, ["501"], hash_key=key, reason="asked", by="me", now=START)


def is_on_the_list(engine: Engine, key: str) -> bool:
    with reading(engine) as connection:
        return is_opted_out(connection, "501", hash_key=key, account="acme")


def test_the_key_is_random_created_once_and_stored_encrypted(engine: Engine) -> None:
    key = open_key(engine, OLD)
    assert open_key(engine, OLD) == key
    assert key != OLD
    with reading(engine) as connection:
        (stored,) = connection.scalars(sa.select(data_key.c.wrapped))
    assert key not in stored


def test_another_secret_is_noticed_and_told_what_would_be_right(engine: Engine) -> None:
    open_key(engine, OLD)
    with pytest.raises(Unavailable) as refused:
        open_key(engine, NEW)
    assert refused.value.code == "secret_key_changed"
    assert "rotate-secret" in refused.value.sentence
    assert OLD not in refused.value.sentence


def test_a_rotated_secret_finds_everybody_who_was_on_the_list(engine: Engine) -> None:
    put_on_the_list(engine, open_key(engine, OLD))
    with writing(engine) as connection:
        assert hash_key.rotate(connection, OLD, NEW)
        assert not hash_key.rotate(connection, OLD, NEW), "it is in use already"
    assert is_on_the_list(engine, open_key(engine, NEW))
    with pytest.raises(Unavailable):
        open_key(engine, OLD)


def test_a_wrong_old_secret_changes_nothing(engine: Engine) -> None:
    key = open_key(engine, OLD)
    with pytest.raises(Conflict, match="old secret"), writing(engine) as connection:
        hash_key.rotate(connection, "not-the-one-it-was-made-with", NEW)
    assert open_key(engine, OLD) == key


def test_hashes_from_before_the_key_still_match(engine: Engine) -> None:
    row = {"person": person(OLD, "501"), "account": "*", "reason": "asked", "created_at": START, "created_by": "me"}
    with writing(engine) as connection:
        connection.execute(sa.insert(opt_out).values(row))
    assert is_on_the_list(engine, open_key(engine, OLD))
    with writing(engine) as connection:
        hash_key.rotate(connection, OLD, NEW)
    assert is_on_the_list(engine, open_key(engine, NEW))


def test_a_secret_rotated_before_the_first_start_begins_with_the_old_one(engine: Engine) -> None:
    with writing(engine) as connection:
        assert hash_key.rotate(connection, OLD, NEW)
    assert open_key(engine, NEW)
