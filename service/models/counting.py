"""What readers have been told so far. In: nothing; out: the tables that the sealing of changes writes."""

from datetime import datetime

from sqlalchemy import BigInteger, Column, Integer, Named, String, Table, TypedColumns

from service.db import Micros
from service.models.base import metadata


class ChangeCounterColumns(TypedColumns):
    """One row: the last number a change was sealed with. Locked until commit, so numbers come in commit order."""

    id = Column(Integer, primary_key=True, autoincrement=False)  # 1
    epoch: Named[str] = Column(String(40))  # another one after a restore: numbers given since the backup are void
    last: Named[int] = Column(BigInteger)
    sealed_at: Named[datetime | None] = Column(Micros, nullable=True)


change_counter = Table("change_counter", metadata, ChangeCounterColumns)
