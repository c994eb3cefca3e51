"""What a hostile RUN step tries. tests/hostile.py has what is to come of each attempt.

This package is also what runs in the steps, as root, with nothing but Python: `python3 -m testbed.hostile NAME…` prints
a line for each attempt, `attempt NAME succeeded|blocked: what was seen`.
"""
