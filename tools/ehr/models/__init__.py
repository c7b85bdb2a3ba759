"""Sequence, text, graph and survival models of health records, in PyTorch: compared with the default, none of them ships."""
