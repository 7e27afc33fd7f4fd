"""Sound: what the model says and how much of it was heard, and what the microphone may send."""
