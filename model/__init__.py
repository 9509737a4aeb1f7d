"""The language model's side of ingot: datasets, tokenizers, export, pictures. Never imports toolchain/."""
