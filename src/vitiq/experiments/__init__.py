"""From pictures to records: a pure plan, tasks that survive a kill, and the store they write to."""
