"""Somebody runs SQL of their own through the application's login. Whatever it is, the books stay as they are."""
