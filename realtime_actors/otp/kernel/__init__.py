"""What an actor is: a mailbox, a process with exits and links, the clock; and no behaviour."""
