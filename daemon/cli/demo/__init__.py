"""`bwc demo`: the whole story on this machine, with real processes over an embedded broker on loopback."""
