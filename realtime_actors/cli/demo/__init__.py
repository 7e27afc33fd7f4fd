"""A receptionist on the phone: agents, a caller, and what has to happen between them."""
