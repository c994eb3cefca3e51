"""Program 3: `imagebuild` and `kubectl imagebuild`, for a person at a terminal and for a pipeline.

It knows documents as the API server gives them, and no model: a status that a newer operator has written is shown, too.
"""
