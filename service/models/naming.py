"""Who may be named, and what people are called: the tables that reports writes."""

from datetime import datetime

from sqlalchemy import BigInteger, Column, Index, Integer, Named, String, Table, TypedColumns

from service.at_rest.columns import Encrypted
from service.db import Micros
from service.models.base import metadata


class NamingColumns(TypedColumns):
    """An agent, or a team where there is no agent: since when rows may say so. What is given is never taken back.

    Written by reports.
    """

    account = Column(String(64), primary_key=True)
    kind = Column(String(5), primary_key=True)  # agent | team
    name = Column(String(256), primary_key=True)
    named_at: Named[datetime | None] = Column(Micros, nullable=True)
    readable_at: Named[datetime | None] = Column(Micros, nullable=True)  # comments too


naming = Table("naming", metadata, NamingColumns)


class NamingAnswerColumns(TypedColumns):
    """An answer of somebody who has too few; gone as soon as there are enough. Written by reports."""

    account = Column(String(64), primary_key=True)
    kind = Column(String(5), primary_key=True)
    name = Column(String(256), primary_key=True)
    request_id = Column(String(40), primary_key=True)


naming_answer = Table("naming_answer", metadata, NamingAnswerColumns, Index(None, "request_id"))


class NamingPlaceColumns(TypedColumns):
    """One row: how far in the order of changes naming has come. Locked while it goes on. Written by reports."""

    id = Column(Integer, primary_key=True, autoincrement=False)  # 1
    sealed: Named[int] = Column(BigInteger)


naming_place = Table("naming_place", metadata, NamingPlaceColumns)


class PersonNameColumns(TypedColumns):
    """What an agent or a team is called from a moment on, in one account or everywhere. Written by reports.

    Staff, not customers: no retention and no erasure of a customer reaches it. `told_at` NULL: there are rows left
    whose readers have not been told; `told_id` is the last of those that have.
    """

    account = Column(String(64), primary_key=True)  # '*': every one
    kind = Column(String(5), primary_key=True)  # agent | team
    person_id = Column(String(256), primary_key=True)
    since = Column(Micros, primary_key=True)  # 1970: from the beginning
    # NULL: none from then on
    name: Named[str | None] = Column(
        Encrypted("person_name.name", "account", "kind", "person_id", "since", length=120), nullable=True
    )
    given_at: Named[datetime] = Column(Micros)
    given_by: Named[str] = Column(String(96))
    told_at: Named[datetime | None] = Column(Micros, nullable=True)
    told_id: Named[str | None] = Column(String(40), nullable=True)


person_name = Table("person_name", metadata, PersonNameColumns, Index(None, "kind", "person_id"))
