"""What dispatch documents mean: assignments, crews, and which of them a recording belongs to.

Pure: documents and times come in, assignments and verdicts go out. Imports core and model only.
"""
