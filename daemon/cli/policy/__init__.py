"""`bwc policy`: running the policy service, and asking what its rules say."""
