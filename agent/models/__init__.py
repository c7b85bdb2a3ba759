"""The models that drive the agent: embedded, and any OpenAI-compatible endpoint."""
