"""Plans, calls tools, ties sentences to evidence."""
