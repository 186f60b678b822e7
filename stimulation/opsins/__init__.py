"""What light does at a site."""
