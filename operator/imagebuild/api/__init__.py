"""The ImageBuild as users see it: names, spec and status, and the CRD made from them."""
