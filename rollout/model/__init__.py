"""Step-Audio-R1 as an out-of-tree vLLM model: our audio tower before vLLM's own Qwen2."""
