"""`edgeseq doctor`."""

from __future__ import annotations

from pathlib import Path

import click

from edgeseq.cli.console import json_option


@click.command()
@json_option
def command(json_file: Path | None) -> None:
    """What is installed and ready, and what to run to mend the rest.

    Exits with 0 also when optional parts are missing.
    """
    from rich.table import Table
    from rich.text import Text

    from edgeseq.cli.console import output, write_json
    from edgeseq.doctor import checks_to_dict, examine

    checks = examine()
    write_json(json_file, checks_to_dict(checks))
    table = Table("", "", "found", header_style="bold")
    for check in checks:
        mark = Text("ok", "green") if check.ok else Text("--", "yellow")
        table.add_row(mark, Text(check.name), Text(check.state))
    console = output()
    console.print(table)
    remedies = dict.fromkeys(check.remedy for check in checks if check.remedy)
    for remedy in remedies:
        names = ", ".join(check.name for check in checks if check.remedy == remedy)
        console.print(f"to mend {names}: {remedy}", soft_wrap=True)
    if not remedies:
        console.print("Everything is ready.")
