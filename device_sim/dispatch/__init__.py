"""A simulated dispatch center: its incidents, and the documents that it sends about them."""
