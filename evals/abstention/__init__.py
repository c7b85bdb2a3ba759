"""Whether the assistant says that it does not know when it cannot, and answers when it can."""
