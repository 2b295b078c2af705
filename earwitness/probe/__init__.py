"""Listening questions with synthesised clips: data whose every answer is in the sound and none in the words.

`write_probe` makes the manifests of a recipe's `probe` section; `write_split` makes one manifest.
"""

from earwitness.probe.write import Traces, write_probe, write_split

__all__ = ["Traces", "write_probe", "write_split"]
