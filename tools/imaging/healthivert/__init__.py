"""HealthiVert-GAN (arXiv 2503.05990) built anew: a vertebra is painted as it was before it fractured."""
