"""Rows, files and jobs of this room: its only SQL."""
