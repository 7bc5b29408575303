"""Music source separation with bridged networks: X-UMX, X-D3Net and X-Conv-TasNet for Asteroid."""

from .version import __version__
