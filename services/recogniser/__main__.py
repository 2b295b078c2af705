"""The recogniser: says which things models hear in a clip, and what is said in it.

`python -m services.recogniser`, with a tagger's ONNX file in EW_TAGGER or a speech recogniser's folder in
EW_TRANSCRIBER. It needs neither Redis nor the data: who asks sends the sound, once.
"""

from __future__ import annotations

import os
import sys

import grpc

from earwitness.errors import InputError
from earwitness.log import get_logger
from earwitness.rpc.server import serve
from earwitness.settings import Settings, number
from earwitness.wire.recogniser.v1 import recogniser_pb2, recogniser_pb2_grpc
from reward.recognise.heard import load
from reward.recognise.hearing import Hearing
from reward.recognise.named import NOTHING_NAMED, TAGGER, TRANSCRIBER, Named
from services.entry import process


class RecogniserService(recogniser_pb2_grpc.RecogniserServiceServicer):
    """Recognise."""

    def __init__(self, hearing: Hearing) -> None:
        self._hearing = hearing

    async def Recognise(  # noqa: N802 (name of the wire)
        self, request: recogniser_pb2.RecogniseRequest, context: grpc.aio.ServicerContext
    ) -> recogniser_pb2.RecogniseResponse:
        """What is heard, from what is kept where it was heard before."""
        return await self._hearing.answer(request)


async def run(settings: Settings) -> None:
    """Serve until SIGTERM. What is named is loaded first: a mistake in it ends the service here."""
    named = Named.from_env()
    if named == NOTHING_NAMED:
        raise InputError(
            f"{TAGGER}, {TRANSCRIBER}", "none is set", "the file of a tagger, or the folder of a speech recogniser"
        )
    known = load(named)
    get_logger("recogniser").bind(name=settings.name).info("loaded", knows=known, words=bool(named.transcriber))
    hearing = Hearing(number(os.environ, "EW_RECOGNISER_THREADS", 1, 1024, least=1))
    await serve(
        "recogniser",
        settings,
        lambda server: recogniser_pb2_grpc.add_RecogniserServiceServicer_to_server(RecogniserService(hearing), server),
        shares_port=True,
    )


if __name__ == "__main__":
    sys.exit(process("recogniser", run))
