"""`bwc dock`: running a dock, and looking at one."""
