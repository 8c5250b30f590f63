"""Films: step movies, endless zooms, dreamt videos; read, written, and gone on with where they stopped."""
