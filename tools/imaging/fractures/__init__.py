"""Vertebral body heights from a mask, what they should be by the neighbours, and the Genant grade of the difference."""
