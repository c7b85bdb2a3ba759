"""The look of radiographs for computed films: network, looks to learn from, training, use."""
