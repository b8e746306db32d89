"""Disposal of clips: what is due and why (retained), reports of it, what two people authorize, orders, docks' clocks.

Nothing is disposed of without chief and records. A legal hold and an open request always suspend it.
May import the cases and what is below them; notices, reconsideration and the service import this.
"""
