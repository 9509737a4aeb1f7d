"""Proof that the models learn: a ladder of rungs from gradients to generation, each with a number to reach.

`goals` says what they are and needs nothing; each is a module of its name, whose `measure` does the work.
"""
