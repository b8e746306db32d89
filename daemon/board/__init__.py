"""The status page: one more MQTT client. It only listens, and can release nothing.

May import custody, vault, link, seal, core and model; never the dock, the policy service or the viewer's side, which it
knows from what they publish. Web libraries are imported in `web` and `serve` only.
"""
