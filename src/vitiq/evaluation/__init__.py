"""Plans, tasks, and where their results are kept."""
