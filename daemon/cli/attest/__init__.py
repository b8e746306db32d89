"""`bwc attest`: what people say is read, checked against what is known, said in words, and only then signed.

facts reads and people looks up; check refuses, words says; sign publishes; shift proposes and confirm asks;
two_people has what two sign alike; command puts them together. Imports shared options and
the rooms below, and no other command.
"""
