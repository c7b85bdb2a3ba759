"""Synthetic spine volumes and films from words: prompt, attributes, anatomy, learned image, each step shown."""
