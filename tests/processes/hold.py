"""Holds a database's write lock: `python -m tests.processes.hold URL SECONDS`."""

import sys
import time

from service.db import open_engine, writing

if __name__ == "__main__":
    with writing(open_engine(sys.argv[1])):
        print("held", flush=True)
        time.sleep(float(sys.argv[2]))
