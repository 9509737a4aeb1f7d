"""`./doit reproduce`: builds an image a second time, from nothing and in other surroundings, and compares."""
