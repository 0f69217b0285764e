"""Provenance: fingerprints of code and data, the identity of a run."""
