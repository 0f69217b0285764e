"""The library of the NCC mammography workflow: all logic, no command lines, nothing of Snakemake."""

__version__ = "0.1.0"
