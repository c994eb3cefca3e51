"""What the operator and the build pod agree on: plan in, result out. Standard library only, imports nothing of ours."""
