"""The live page of a mesh: what the client sees of it, in a browser."""

from earwitness.page.server import PageServer

__all__ = ["PageServer"]
