"""Thresholds and ground states, checked: enumeration, random instances, algorithms, and their claims."""
