"""The command `serve`: a checkpoint behind OpenAI's vocabulary."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from earwitness.cli.terminal import err, shows_errors
from earwitness.extras import module_of


@shows_errors
def serve(
    checkpoint: Annotated[Path, typer.Argument(help="Hugging Face directory.")] = Path("models/listener"),
    job: Annotated[str, typer.Option(help="Serve the newest weights of this job, or of the `active` one.")] = "",
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port; 0 lets the system choose.", min=0, max=65_535)] = 8000,
    token: Annotated[str, typer.Option(envvar="EW_TOKEN", help="Bearer token that callers must show.")] = "",
    tls_cert: Annotated[str, typer.Option(help="Certificate chain (PEM).")] = "",
    tls_key: Annotated[str, typer.Option(help="Private key (PEM).")] = "",
    audio_host: Annotated[list[str], typer.Option(help="Host that clips may be fetched from; may be repeated.")] = [],  # noqa: B006
    running: Annotated[int, typer.Option(help="Most requests at a time.", min=1, max=1024)] = 64,
) -> None:
    """Talk to a checkpoint: an OpenAI-compatible server that streams reasoning and answer apart.

    Examples:

        earwitness serve

        earwitness serve --job mine-1

        earwitness serve runs/mine/checkpoints/2-rl/step-100/hf --host 0.0.0.0 --token SECRET
    """
    # Before NumPy is there. Its products here are small, a clip's log-mel is the largest: with two threads, which spin
    # where the engine needs a core, it took seven times the CPU, and all sessions waited for it.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    settings, program = (module_of("cpu", f"serving.{name}", "serve") for name in ("settings", "program"))
    chosen = settings.Settings(checkpoint, job, host, port, token, tls_cert, tls_key, tuple(audio_host), running)
    program.main(chosen, console=err)
