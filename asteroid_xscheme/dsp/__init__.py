"""Signal processing: the STFT convention and the multichannel Wiener filter."""
