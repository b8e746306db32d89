"""What several commands use: options, output, a person's connection, vaults, the journal.

Imports no command.
"""
