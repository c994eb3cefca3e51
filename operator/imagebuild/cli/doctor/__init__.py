"""`imagebuild doctor`: which isolation mode the nodes of a cluster can run, tried before the first build fails."""
