"""The HTTP service: an OpenAI-compatible API, our own API, MCP, health and metrics, with the page mounted beside them."""
