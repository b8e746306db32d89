"""`bwc setup`: from a Debian machine and a dock to a working installation, in one guided run that can be repeated.

What is there already is kept, whoever made it; each step makes only what is missing.
"""
