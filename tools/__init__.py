"""What the agent can do: typed tools with a gate, limits and provenance around every call."""
