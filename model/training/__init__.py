"""Training in PyTorch. `python3 -m model.train` is the program; what it is made of can be called by itself."""
