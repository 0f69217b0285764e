"""From the datasets' tables to what a network is trained and tested on.

Label policy, merging, patient-level splits, checks.
"""
