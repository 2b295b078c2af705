"""Moved to `earwitness.model.architecture`; goes as soon as nothing imports it from here."""

from earwitness.model.architecture import KERNEL, Architecture, AudioDims, DecoderDims

__all__ = ["KERNEL", "Architecture", "AudioDims", "DecoderDims"]
