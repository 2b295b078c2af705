"""A listener and a decoder of toy size."""

from earwitness.families.dims import AudioDims, DecoderDims

DIMS = AudioDims(
    n_mels=16,
    positions=200,
    size=24,
    heads=3,
    layers=2,
    mlp_size=96,
    adapter_size=20,
    trailing_frames=0,
    learned_positions=True,
)
DECODER = DecoderDims(32, 48, 1, 2, 1, 64, 64, 1e-5, 1e4)
