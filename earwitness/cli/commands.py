"""The table of commands. A command's module is imported when that command runs, so that none waits for another's."""

from __future__ import annotations

import pkgutil
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

COMMANDS = {
    "up": ("mesh", "Start the mesh on this machine."),
    "down": ("mesh", "Stop the mesh on this machine, and leave no process behind."),
    "status": ("status", "Show the processes or pods, the workers with their weight versions, the queue and the job."),
    "doctor": ("doctor", "Say whether this machine can run the mesh, part by part, and what mends what is wrong."),
    "scale": ("scale:app", "Change the number of workers, while the mesh works."),
    "logs": ("logs", "Show logs. Where there are several, each line says whose it is."),
    "submit": ("jobs", "Submit a recipe."),
    "watch": ("jobs", "Show a job from its start until it ends."),
    "cancel": ("jobs", "Cancel a job; returns once nothing of it runs."),
    "pause": ("jobs", "Hold a running job after the work in flight."),
    "resume": ("jobs", "Let a paused job go on."),
    "list": ("jobs:list_jobs", "List jobs, newest first."),
    "open": ("open:open_page", "Show a mesh and its jobs in a browser, live, until Ctrl-C."),
    "explain": ("explain:explain_job", "Say why a job is slow, and why it does not learn."),
    "trace": ("trace", "Show one group's way through the mesh, with times: from submit to what was learned."),
    "compare": ("compare", "Compare jobs that have ended: accuracy over the same clips, settings, curves."),
    "reproduce": ("compare", "Run the job of a report again, and compare."),
    "validate": ("validate", "Check a recipe, and name every mistake: where, what is wrong, what would be right."),
    "plan": ("plan", "Show the layouts of a trainer that fit, with memory by part and speed; or what makes one fit."),
    "listen": ("listen", "Measure recordings, and check what is claimed about them."),
    "score": ("score", "Score answers: strictly, and by the published rule of a benchmark. Missing answers are wrong."),
    "serve": ("serve", "Talk to a checkpoint: an OpenAI-compatible server that streams reasoning and answer apart."),
    "ask": ("ask", "Ask a served checkpoint about clips: its reasoning, each claim checked, and the answer."),
    "bench": ("bench", "Put a benchmark to a model on the mesh, and score it beside published rows."),
    "data": ("data:group", "Import, check, mix, show, write and push data."),
    "model": ("model:group", "Check, convert and push checkpoints."),
}  # fmt: skip
"""Where each command stands, and the first line of its help, in the order of `earwitness --help`. It is the function of
its name in that module, or what the colon names: a function, or what holds several."""


class Commands(TyperGroup):
    """The commands of `COMMANDS`: known by name and summary, imported to run."""

    def list_commands(self, ctx: Any) -> list[str]:
        """The names, as help shows them."""
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """What help says of a command; nothing of it is imported."""
        found = COMMANDS.get(cmd_name)
        return TyperCommand(cmd_name, help=found[1]) if found else None

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """The command that is about to run."""
        name, command, rest = super().resolve_command(ctx, args)
        return name, load(name) if name and command else command, rest


def load(name: str) -> Any:
    """The whole command `name`."""
    module, _, function = COMMANDS[name][0].partition(":")
    found = pkgutil.resolve_name(f"earwitness.cli.{module}:{function or name}")
    if isinstance(found, typer.Typer):
        return typer.main.get_command(found)
    alone = typer.Typer(add_completion=False)
    alone.command(name)(found)
    return typer.main.get_command(alone)


app = typer.Typer(
    name="earwitness",
    cls=Commands,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    help="Teaches audio language models to reason from what they hear, and checks their claims against the recording.",
    epilog="Start with: earwitness up --detach · earwitness submit recipes/quickstart.yaml --follow · earwitness down",
)


@app.callback()
def earwitness() -> None:
    """Teaches audio language models to reason from what they hear, and checks their claims against the recording."""
