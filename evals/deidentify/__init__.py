"""Notes that the name tagger was not trained on, and what is found in them."""
