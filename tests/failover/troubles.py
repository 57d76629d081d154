"""What can happen to a cluster; each trouble returns when it is over. Does not check whether the cluster is whole."""

import signal
import time
from collections.abc import Callable

from tests.failover.cluster import Cluster

FROZEN_S = 45.0


def kill(cluster: Cluster) -> None:
    """The leader's PostgreSQL and Patroni die at once; its machine comes back later."""
    leader = cluster.leader()
    leader.signal(signal.SIGKILL)
    time.sleep(30)
    leader.process = cluster.start(leader)


def freeze(cluster: Cluster) -> None:
    """The leader's machine stands still for longer than its ttl, and thaws believing that it leads."""
    leader = cluster.leader()
    leader.signal(signal.SIGSTOP)
    time.sleep(FROZEN_S)
    leader.signal(signal.SIGCONT)


def cut_off(cluster: Cluster) -> None:
    """The leader's machine loses its net for longer than its ttl, and finds that another leads when it is back."""
    cluster.leader().machine.cut_for(FROZEN_S)


def switch_over(cluster: Cluster) -> None:
    """A planned one, as before maintenance."""
    cluster.switch_over()
    time.sleep(5)


TROUBLES: dict[str, Callable[[Cluster], None]] = {
    "kill": kill,
    "freeze": freeze,
    "cut": cut_off,
    "switch-over": switch_over,
}
