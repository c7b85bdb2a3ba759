"""Reading, drawing and measuring images."""
