"""Formulas as activations: a safe grammar, trainable constants, numeric gate."""
