"""What this project is made of, and says so: locks with hashes (hack/lock), and releases by digest (hack/release)."""
