"""The user's side: the client, the job handle, the magics and what they show."""
