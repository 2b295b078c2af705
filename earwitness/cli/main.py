"""The command's entry point: puts the groups together."""

from __future__ import annotations

import typer

from earwitness.cli import data, jobs, listen, logs, mesh, plan, scale, score, status, validate

app = typer.Typer(
    name="earwitness",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    help="Teaches audio language models to reason from what they hear, and checks their claims against the recording.",
    epilog="Start with: earwitness up --detach · earwitness submit recipes/quickstart.yaml --follow · earwitness down",
)

for group in (mesh, status, scale, logs, jobs, validate, plan, listen, score):
    group.register(app)
app.add_typer(data.app, name="data")
