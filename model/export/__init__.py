"""Trained weights into the formats that others read: GGUF, raw fp32, a C header."""
