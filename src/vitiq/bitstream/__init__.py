"""From numbers to bytes and back: the .viq container, entropy coders with integer tables, Elias codes."""
