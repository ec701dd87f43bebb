"""Those who act on results: the typed subscription, and the applications on it."""
