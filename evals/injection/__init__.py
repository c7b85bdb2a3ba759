"""Attempts to steer the agent from what it reads, with a model that obeys all of them."""
