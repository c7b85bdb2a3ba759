"""The page, the command line, and what they show."""
