"""Tolerances for rounding in tests that compare floating-point numbers."""

SINGLE = 2.0**-24  # unit roundoff: one operation in float32 is off by at most this share
BFLOAT = 2.0**-8  # the same of bfloat16

#: Small networks in float32: some 20 layers of sums of up to 100 terms, whose order is up to the
#: machine. Values near 0 are sums of values near 1, of which a layer has ten.
NETWORK = dict(rtol=20 * 100 * SINGLE, atol=20 * 10 * SINGLE)

#: Small networks in bfloat16, as a share of the norm: some 20 layers, each of which rounds input,
#: weights and output; 60 roundings of random sign make 8 of one, and twice that for the chance.
NETWORK_IN_BFLOAT = 16 * BFLOAT

#: Signals in float32, energy of the difference in dB of the signal's: a rounding is -144 dB, and a
#: song's way (transforms, masks, sums of sources) has some 15 of one sign, which are 24 dB more.
SIGNAL_DB = -120.0
