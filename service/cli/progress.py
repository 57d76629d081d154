"""A count that grows while a command works, on a terminal; a log or a pipe shows none."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from service.cli.common import errors


@contextmanager
def counting(what: str) -> Iterator[Callable[[int], None]]:
    """Show how many there are so far, where somebody watches."""
    columns = (SpinnerColumn(), TextColumn(f"{{task.completed}} {what}"), TimeElapsedColumn())
    with Progress(*columns, console=errors, transient=True, disable=not errors.is_terminal) as bar:
        task = bar.add_task(what, total=None)
        yield lambda so_far: bar.update(task, completed=so_far)
