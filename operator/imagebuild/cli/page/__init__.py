"""`imagebuild timeline -o html`: one build as a page that needs nothing but itself. `document.py` puts it together."""
