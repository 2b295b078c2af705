"""The command `doctor`: whether this machine, or a release in a cluster, can run the mesh."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Annotated

import typer
from rich.text import Text

from earwitness.cli.terminal import Terminal, out, shows_errors
from earwitness.cli.where import FOLDER, PANEL, Folder
from earwitness.doctor import Check, all_checks, look, quick_checks
from earwitness.printable import clean

PART_WIDTH = 18
"""Columns of the name of a part."""


@shows_errors
def doctor(
    quick: Annotated[bool, typer.Option("--quick", help="Only what takes no time: what `up` looks at.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object for each part.")] = False,
    state: Folder = FOLDER,
    namespace: Annotated[
        str | None, typer.Option("--namespace", "-n", help="Kubernetes namespace of a mesh.", rich_help_panel=PANEL)
    ] = None,
    release: Annotated[str | None, typer.Option(help="Helm release.", rich_help_panel=PANEL)] = None,
    context: Annotated[str | None, typer.Option(help="Context of the kubeconfig.", rich_help_panel=PANEL)] = None,
) -> None:
    """Say whether this machine can run the mesh, part by part, and what mends what is wrong.

    With -n it looks at a release in a cluster instead: pods, images, volumes, secrets. Exit status 1 if anything is
    wrong.

    Examples:

        earwitness doctor

        earwitness doctor --quick --json

        earwitness doctor -n ew
    """
    if namespace or release or context:
        from earwitness.cluster import Api, find_release
        from earwitness.doctor.release import release_checks

        api = Api(context)
        checks = release_checks(api, find_release(api, namespace, release))
    else:
        checks = quick_checks(state) if quick else all_checks(state)
    if as_json:
        findings = list(look(checks))
        out.print_object([{**asdict(finding), "ok": finding.ok} for finding in findings])
        wrong = sum(not finding.ok for finding in findings)
    else:
        wrong = show(checks, out)
        out.print(f"{wrong} of {len(checks)} parts are wrong" if wrong else f"all {len(checks)} parts are well")
    if wrong:
        raise typer.Exit(1)


def show(checks: Sequence[Check], terminal: Terminal, *, only_wrong: bool = False) -> int:
    """Print findings as they come; returns how many are wrong."""
    wrong = 0
    for finding in look(checks):
        wrong += not finding.ok
        if finding.ok and only_wrong:
            continue
        line = Text(f"{'ok' if finding.ok else 'wrong':6}", style="green" if finding.ok else "red")
        line.append(clean(f"{finding.part:{PART_WIDTH}} {finding.found}"), style="default")
        if finding.mend:
            line.append(clean(f"; mended by {finding.mend}"), style="default")
        terminal.print(line)
    return wrong
