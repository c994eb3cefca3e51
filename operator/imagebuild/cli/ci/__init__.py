"""`imagebuild build` in a job of a CI system: what the system knows need not be typed.

job.py is the glue, and the only module that commands import; the others are pure, or one kind of I/O.
"""
