"""Verbs of the command line, one file each; the light ones import neither torch nor lightning."""
