"""Signals: the one convention of the STFT, and the multichannel Wiener filter."""
