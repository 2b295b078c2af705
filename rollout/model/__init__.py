"""Our out-of-tree vLLM model: the listener before vLLM's own Qwen2."""
