"""The models once more in NumPy, float64, with gradients: written for reading, and to compare the others with.

`tape` has every operation with its derivative, `models` builds GPT-2 and Llama of them.
"""
