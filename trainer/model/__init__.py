"""The policy: a Whisper-style audio encoder, an adaptor, and a Qwen2 decoder on Megatron-core."""
