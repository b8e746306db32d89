"""`bwc ask`: questions to the policy service."""
