"""Tools of other programs, that a site adds over MCP."""
