"""How the built-in network was made: render, train, evaluate, export. See README.md here."""
