"""What stands behind the ports of this room."""
