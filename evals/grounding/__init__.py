"""How well the grounding check tells planted faults from faithful sentences."""
