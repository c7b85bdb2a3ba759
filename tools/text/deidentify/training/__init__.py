"""How the name tagger is trained: notes written from templates, and the command that learns from them. Needs `[deid]`."""
