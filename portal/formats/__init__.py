"""How dates are written where Django writes them (the admin): as everywhere else in the portal."""
