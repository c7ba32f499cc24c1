"""Lists of options put on a command, each under its own heading in --help."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click


def with_options(options: list[Callable[[Any], Any]], heading: str | None = None) -> Callable[[Any], Any]:
    """A decorator that adds these options, in their order of --help, there under `heading` in a `Grouped`."""

    def add(function: Any) -> Any:
        for option in reversed(options):
            function = option(function)
            function.__click_params__[-1].heading = heading
        return function

    return add


class Grouped(click.Command):
    """A command whose --help has a heading for each group of options."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The options in their order, those without a heading under "Options"."""
        groups: dict[str, list[tuple[str, str]]] = {}
        for option in self.get_params(ctx):
            record = option.get_help_record(ctx)
            if record is not None and isinstance(option, click.Option):
                groups.setdefault(getattr(option, "heading", None) or "Options", []).append(record)
        for heading, records in groups.items():
            with formatter.section(heading):
                formatter.write_dl(records)
