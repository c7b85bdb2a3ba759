"""Second look at the best passages of a search: rerankers behind one port."""
