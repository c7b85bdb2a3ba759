"""A conversation, or one answer of it, as a document: Markdown, HTML, Word, PDF."""
