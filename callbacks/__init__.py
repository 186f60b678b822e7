"""Callbacks: reproducible steps, termination, guards, progress and the closing summary."""
