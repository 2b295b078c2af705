"""Step-Audio-R1 as an out-of-tree vLLM model: our audio tower before vLLM's own Qwen2."""

from rollout.model.step_audio import StepAudio2ForCausalLM

__all__ = ["StepAudio2ForCausalLM"]
