"""Talk to a checkpoint: vLLM with our models behind OpenAI's vocabulary, claims checked while they are made."""
