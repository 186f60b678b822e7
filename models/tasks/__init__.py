"""Tasks: network + loss + metrics + optimizer, as LightningModules."""
