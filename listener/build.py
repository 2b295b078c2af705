"""The listener of any family."""

from __future__ import annotations

from collections.abc import Callable

from torch import nn

from earwitness.families.architecture import Architecture
from earwitness.families.audioflamingo3 import AUDIOFLAMINGO3
from earwitness.families.dims import AudioDims
from earwitness.families.family import Family
from earwitness.families.qwen2_5_omni import QWEN2_5_OMNI
from earwitness.families.qwen2_audio import QWEN2_AUDIO
from earwitness.families.qwen3_asr import QWEN3_ASR
from earwitness.families.step_audio import STEP_AUDIO
from listener import audioflamingo3, qwen2_5_omni, qwen2_audio, qwen3_asr, step_audio
from listener.attention import Attend, fused

BUILDERS: dict[Family, Callable[[AudioDims, int, Attend], tuple[nn.Module, nn.Module]]] = {
    STEP_AUDIO: step_audio.build,
    QWEN2_AUDIO: qwen2_audio.build,
    QWEN2_5_OMNI: qwen2_5_omni.build,
    AUDIOFLAMINGO3: audioflamingo3.build,
    QWEN3_ASR: qwen3_asr.build,
}


def build_listener(architecture: Architecture, attend: Attend = fused) -> tuple[nn.Module, nn.Module]:
    """Encoder and adaptor: `adapter(*encoder(mels, frames))` makes of log-mels [clips, n_mels, frames] and the frames
    of each clip, [clips], embeddings [clips, most tokens, hidden] and the tokens of each clip, [clips].

    What lies beyond a clip's frames is ignored. Parameters are called as `Architecture.weight_shapes` says, under
    `encoder` and `adapter`.
    """
    return BUILDERS[architecture.family](architecture.audio, architecture.decoder.hidden_size, attend)
