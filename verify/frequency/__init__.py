"""Frequency-domain networks as FreTS specifies them, and forecasts that are compared window by window."""
