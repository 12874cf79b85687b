"""Children inside an engine that somebody else built: vLLM's, whose tensors are laid together and packed."""
