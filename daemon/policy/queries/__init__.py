"""Questions to the policy service: who may ask what, and what is answered.

Nothing here decides: an answer is for people, and no order is issued on it.
"""
