"""What `model.datasets.tales` tells stories with: a random number generator (prng), the template
language (grammar), characters and common phrases (words), and the plots (finding, helping, growing,
making)."""
