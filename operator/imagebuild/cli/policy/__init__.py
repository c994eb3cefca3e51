"""`imagebuild policy explain`: what is in force in a namespace, and why."""
