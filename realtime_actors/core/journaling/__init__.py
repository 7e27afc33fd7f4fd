"""What is kept of a conversation, so that another process can go on with it."""
