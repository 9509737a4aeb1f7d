"""Tokenizers: one module each, run as `python3 -m model.tokenizers.NAME TEXT …`.

A tokens file holds token ids as little-endian uint16, nothing else.
"""
