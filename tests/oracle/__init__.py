"""What the tests measure Reverie against: independent twins and small networks that are known through."""
