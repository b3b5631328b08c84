"""The pytest plugin (entry point `gilgen`): off until a test asks for it."""
