"""One form of statement against a measurement, a module each."""
