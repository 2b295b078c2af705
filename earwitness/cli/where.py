"""The options that name a mesh, which all commands about one share."""

from __future__ import annotations

import inspect
import typing
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from earwitness.cli.terminal import shows_errors
from earwitness.local.state import DEFAULT_FOLDER

if TYPE_CHECKING:
    from earwitness.client import Mesh
    from earwitness.cluster import Api, Release

PANEL = "Mesh"

Folder = Annotated[
    Path, typer.Option("--state", envvar="EW_STATE", help="Folder of the local mesh.", rich_help_panel=PANEL)
]
FOLDER = Path(DEFAULT_FOLDER)


@dataclass(frozen=True)
class Where:
    """Which mesh a command speaks of: the local one, one at an address, or one in a Kubernetes cluster."""

    state: Folder = FOLDER
    address: Annotated[
        str | None, typer.Option(envvar="EW_ADDRESS", help="host:port of a mesh elsewhere.", rich_help_panel=PANEL)
    ] = None
    token: Annotated[
        str | None, typer.Option(envvar="EW_TOKEN", help="Bearer token of a mesh elsewhere.", rich_help_panel=PANEL)
    ] = None
    namespace: Annotated[
        str | None,
        typer.Option("--namespace", "-n", help="Kubernetes namespace of a mesh.", rich_help_panel=PANEL),
    ] = None
    release: Annotated[
        str | None, typer.Option(help="Helm release, where the namespace has several.", rich_help_panel=PANEL)
    ] = None
    context: Annotated[
        str | None, typer.Option(help="Context of the kubeconfig ($KUBECONFIG).", rich_help_panel=PANEL)
    ] = None

    @property
    def in_cluster(self) -> bool:
        """True if an option of Kubernetes was given; it counts more than an address from the environment."""
        return any(option is not None for option in (self.namespace, self.release, self.context))

    def find(self) -> tuple[Api, Release]:
        """The release in the cluster."""
        from earwitness.cluster import Api, find_release

        api = Api(self.context)
        return api, find_release(api, self.namespace, self.release)

    def connect(self) -> Mesh:
        """The mesh."""
        from earwitness.client import Mesh  # gRPC takes time that a command without a mesh need not wait for

        if self.in_cluster:
            return Mesh.of_release(*self.find(), token=self.token)
        return Mesh.connect(self.address, self.token, state=self.state)


def finds_mesh(command: Callable[..., Any]) -> Callable[..., Any]:
    """Gives a command the options of `Where` in place of its last parameter, `where`; and `shows_errors`."""
    options = typing.get_type_hints(Where, include_extras=True)

    def wrapped(**given: Any) -> Any:
        where = Where(**{name: given.pop(name) for name in options})
        return command(**given, where=where)

    own = inspect.signature(command, eval_str=True).parameters.values()
    shown = [
        *(parameter for parameter in own if parameter.name != "where"),
        *(
            inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=getattr(Where, name), annotation=annotation)
            for name, annotation in options.items()
        ),
    ]
    wrapped.__signature__ = inspect.Signature(shown)  # type: ignore[attr-defined]
    wrapped.__annotations__ = {parameter.name: parameter.annotation for parameter in shown}
    wrapped.__name__, wrapped.__doc__ = command.__name__, command.__doc__
    return shows_errors(wrapped)
