"""hack/docs: the pages of this repository as a site, by Sphinx. They stay the Markdown that GitHub shows."""
