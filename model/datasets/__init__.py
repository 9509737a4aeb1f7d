"""Datasets that are made here: one module each, run as `python3 -m model.datasets.NAME --out FILE`.

Every one is a pure function of its arguments: the same bytes on any Python >= 3.10. Datasets that
are downloaded (shakespeare) need no code here; `toolchain/download.py` fetches and checks them.
"""
