"""Program 1, the operator: watches ImageBuilds and their pods, asks core/ what to do, and does it."""
