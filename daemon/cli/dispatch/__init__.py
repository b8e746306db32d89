"""`bwc dispatch`: reports over dispatch documents and captures, from files or from a dock's store."""
