"""Many arms at once: one network under several protocols and seeds, trained as one run."""
