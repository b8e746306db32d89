"""The status page: one more MQTT client. It only listens, and it can release nothing.

May import custody, runtime, vault, link, seal, core and model; never the dock, the policy service or the viewer's side,
of which it knows only what they publish. Only `web` and `serve` import web libraries.
"""
