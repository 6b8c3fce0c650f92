"""Certificates: closed forms, stationary points and upper bounds, enclosed and verified from scratch."""
