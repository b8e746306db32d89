"""bwc-dock: body-worn camera footage, locked the moment it is docked."""

__version__ = "0.1.0"
