"""Holds a database's write lock for some seconds, in a process of its own."""

import time

from service.db import open_engine, writing


def hold(url: str, seconds: float) -> None:
    with writing(open_engine(url)):
        time.sleep(seconds)
