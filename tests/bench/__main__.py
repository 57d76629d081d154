"""`python -m tests.bench NAME`: each file of this folder is a benchmark with its own command; see `--help`."""

from importlib import import_module
from pathlib import Path

import click

HERE = Path(__file__).parent
NOT_COMMANDS = {"__init__", "__main__"}


class Benchmarks(click.Group):
    """Every file here that has a `main`, imported when it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's
        found = [each.stem for each in HERE.glob("*.py") if each.stem not in NOT_COMMANDS]
        return sorted(name for name in found if "\ndef main(" in (HERE / f"{name}.py").read_text("utf-8"))

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self.list_commands(ctx):
            return None
        command: click.Command = import_module(f"tests.bench.{cmd_name}").main
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Benchmarks"):
            formatter.write_dl([(name, _about(name)) for name in self.list_commands(ctx)])


def _about(name: str) -> str:
    return (HERE / f"{name}.py").read_text("utf-8").removeprefix('"""').partition("\n")[0].rstrip('"')


@click.group(cls=Benchmarks)
def main() -> None:
    """How fast it is. Timings live here and never in tests; tests/bench/README.md holds what was measured."""


if __name__ == "__main__":
    main(prog_name="python -m tests.bench")
