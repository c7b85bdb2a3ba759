"""Vertebral bodies found and labelled in a CT without learned weights, honest about how sure it is."""
