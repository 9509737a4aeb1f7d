"""Models that others have trained: a folder of Hugging Face's, safetensors alone."""
