"""What hack/generate makes of the code: the CRD, the reference, golden pods. A test imports it to compare."""
